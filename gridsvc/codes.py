"""Cell codes of the Chinese standards.

Current practice is 15 digits (6 county + 3 subdistrict + 3 community + 3 sequence, DB11
单元网格划分); the older form (CJ/T 213-2005) has 14 with a 2-digit sequence. Administrative
codes have 12 digits, a community code; the cell code is the community code plus the sequence.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from gridsvc.errors import InvalidCode

_DIGITS = re.compile(r"[0-9]+\Z")
# Half-width digits, variant characters that official lists mix freely.
_VARIANTS = str.maketrans({"臺": "台", "塩": "鹽", "峯": "峰", "裏": "里"})


@dataclass(frozen=True, slots=True, order=True)
class CellCode:
    """A unit-cell code taken apart.

    Attributes
    ----------
    county, subdistrict, community : str
        6, 3 and 3 digits.
    sequence : str
        3 digits in the current form, 2 in the older one.
    """

    county: str
    subdistrict: str
    community: str
    sequence: str

    def __str__(self) -> str:
        return self.county + self.subdistrict + self.community + self.sequence

    @property
    def community_code(self) -> str:
        """The 12-digit community code."""
        return self.county + self.subdistrict + self.community

    @property
    def subdistrict_code(self) -> str:
        """The 9-digit subdistrict code."""
        return self.county + self.subdistrict

    @classmethod
    def parse(cls, text: str) -> CellCode:
        """Take a 14- or 15-digit code apart.

        Raises
        ------
        InvalidCode
            If it is not 14 or 15 digits; a 12-digit community code gets its own hint.

        Examples
        --------
        >>> CellCode.parse("320582110152102").community_code
        '320582110152'
        """
        code = unicodedata.normalize("NFKC", text).strip()
        if not _DIGITS.match(code):
            raise InvalidCode(code=text, reason_zh="含有非数字字符", reason_en="not all digits")
        if len(code) == 12:
            raise InvalidCode(
                code=text,
                reason_zh="12 位是社区代码,缺少 3 位网格顺序号",
                reason_en="12 digits are a community code; the 3-digit sequence is missing",
            )
        if len(code) not in (14, 15):
            raise InvalidCode(
                code=text,
                reason_zh=f"应为 15 位(或旧式 14 位),实为 {len(code)} 位",
                reason_en=f"15 digits (or 14, the older form) are needed, it has {len(code)}",
            )
        return cls(code[:6], code[6:9], code[9:12], code[12:])

    @classmethod
    def make(cls, community_code: str, sequence: int) -> CellCode:
        """Issue a 15-digit code under a 12-digit community code.

        Raises
        ------
        InvalidCode
            If the community code is not 12 digits or the sequence not in 1…999.
        """
        if len(community_code) != 12 or not _DIGITS.match(community_code):
            raise InvalidCode(
                code=community_code, reason_zh="社区代码应为 12 位数字", reason_en="not 12 digits"
            )
        if not 1 <= sequence <= 999:
            raise InvalidCode(
                code=f"{community_code}+{sequence}",
                reason_zh="顺序号应在 1 至 999 之间",
                reason_en="the sequence must be within 1…999",
            )
        return cls.parse(f"{community_code}{sequence:03d}")


def normalize_name(text: str) -> str:
    r"""Return a name in the form used for matching.

    Full-width letters, digits and spaces become half-width (NFKC), white space inside and around
    goes, variant characters (臺/台 …) become one. Only for matching: what is shown stays as given.

    Examples
    --------
    >>> normalize_name("臺南市\u3000北\u3000區")
    '台南市北區'
    """
    joined = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    # Taking white space out can bring characters together that compose.
    return unicodedata.normalize("NFKC", joined).translate(_VARIANTS)

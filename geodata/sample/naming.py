"""Invented Chinese names of places, streets and people, plausible and not of a real city."""

from __future__ import annotations

import numpy as np

_FIRST = "东西南北上下新老龙凤青红金玉文学永福长安和平江洲梅兰竹松枫桂荷莲云霞石白"
_SECOND = "门街桥山岭溪坊园湖塘坪井台华兴泰宁康乐关巷亭厝墩源泉湾沙洋林"
_SUBDISTRICT = (
    "滨江", "东门", "文昌", "南坪", "钟楼", "西关", "新桥", "北苑", "凤山", "永安桥",
    "学前", "龙津", "和平", "金桥", "玉屏",
)  # fmt: skip
_TOWN = ("青枫", "白石", "竹坪", "龙坑", "梅列溪", "松源", "云岭", "荷塘", "石门", "上洋")
_COMPOUND = ("花园", "新村", "小区", "家园", "公寓", "苑", "雅居", "广场", "名城", "嘉园", "里")
_COMPOUND_FIRST = (
    "江滨", "锦绣", "阳光", "翠竹", "碧水", "书香", "金碧", "康乐", "幸福", "御景", "东方", "兰亭",
    "富华", "荣盛", "天润", "龙岗", "沿河", "芙蓉", "丽景", "怡和", "春晖", "府前", "城东", "绿野",
    "化机", "纺织", "印染", "钢厂", "列山", "百合", "丁香", "紫阳", "祥和", "枫丹", "水岸", "凤凰",
)  # fmt: skip
_VILLAGE = ("自然村", "坑", "厝", "垄", "寨", "坪", "洋", "口")
_ROAD = (
    "江滨", "人民", "新市", "建设", "文昌", "东新", "列岭", "工业", "府前", "凤凰", "玉龙", "翠江",
    "金沙", "双园", "富文", "乾龙", "碧湖", "崇德", "育英", "和仁", "沙洲", "兰溪", "杜鹃", "牡丹",
    "红旗", "胜利", "解放", "青年", "杏林", "丰泽", "延安", "高岩", "麒麟", "景观", "永兴", "康宁",
)  # fmt: skip
_ALLEY = (
    "井头", "书院", "盐仓", "打铁", "豆腐", "桂花", "竹器", "杨梅", "石榴", "米仓", "水门", "庙前",
    "灯笼", "染坊", "渡口", "榕树", "祠堂", "马房", "后街", "扁担", "银杏", "茶亭", "木屐", "官井",
)  # fmt: skip
_SURNAMES = (
    "林陈黄张吴李郑王刘苏蔡杨许叶邓罗廖曾赖邱江谢余朱郭范卢魏肖何周徐胡高温施洪游邹詹"
)  # fmt: skip
_GIVEN = (
    "伟芳秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰玉珍建国志华文辉海燕春梅晓红小燕立新"
    "思远佳怡子轩雨桐浩然欣悦俊杰雪莹振宇美玲家豪宏达淑贞永康世荣"
)
_ORDINAL = "一二三四五六七八九"


def ordinal(number: int) -> str:
    """Return a number from 1 to 99 in Chinese.

    Examples
    --------
    >>> ordinal(7), ordinal(12), ordinal(30)
    ('七', '十二', '三十')
    """
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else ("十" if tens == 1 else _ORDINAL[tens - 1] + "十")
    return head + (_ORDINAL[ones - 1] if ones else "")


class _Unique:
    """Gives each base name once; later ones get a number."""

    def __init__(self) -> None:
        self.used: dict[str, int] = {}

    def take(self, base: str, suffix: str) -> str:
        n = self.used.get(base + suffix, 0) + 1
        self.used[base + suffix] = n
        if n == 1:
            return base + suffix
        return f"{base}{ordinal(n)}{suffix}" if n < 100 else f"{base}{n}{suffix}"


class AreaNames:
    """Names of subdistricts, communities and cells, each unique in the city.

    Parameters
    ----------
    rng : numpy.random.Generator
    """

    RIVER = "清澜江"
    CITY = "清澜市"

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.unique = _Unique()
        pairs = [a + b for a in _FIRST for b in _SECOND if a != b]
        self.pairs = [pairs[i] for i in rng.permutation(len(pairs))]
        self.next_pair = 0
        self.next_sub = {True: 0, False: 0}

    def subdistrict(self, urban: bool) -> str:
        """Return the next name of a 街道 (urban) or 镇."""
        pool = _SUBDISTRICT if urban else _TOWN
        i = self.next_sub[urban]
        self.next_sub[urban] += 1
        return self.unique.take(pool[i % len(pool)], "街道" if urban else "镇")

    def community(self, town: bool) -> str:
        """Return the next name of a 社区 or 村."""
        pair = self.pairs[self.next_pair % len(self.pairs)]
        self.next_pair += 1
        return self.unique.take(pair, "社区" if town else "村")

    def kind(self, area_m2: float, town: bool) -> str:
        """Draw the kind of a cell: compound, alley or village."""
        if not town or area_m2 > 3.5e5:
            return "village"
        return "alley" if self.rng.random() < 0.24 else "compound"

    def cell(self, kind: str, community: str) -> str:
        """Return the name of a cell of that kind."""
        if kind == "alley":
            base = _ALLEY[self.rng.integers(len(_ALLEY))]
            return self.unique.take(base, "巷片区")
        if kind == "village":
            base = community[:2] + _VILLAGE[self.rng.integers(len(_VILLAGE))]
            return self.unique.take(base, "片")
        base = _COMPOUND_FIRST[self.rng.integers(len(_COMPOUND_FIRST))]
        return self.unique.take(base, _COMPOUND[self.rng.integers(len(_COMPOUND))])


class StreetNames:
    """Names of roads, streets and lanes, each unique in the city."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.unique = _Unique()
        self.pairs = [a + b for a in _FIRST for b in _SECOND if a != b]

    def road(self) -> str:
        """Return a name for a larger road."""
        return self.unique.take(_ROAD[self.rng.integers(len(_ROAD))], "路")

    def street(self) -> str:
        """Return a name for a street."""
        return self.unique.take(self.pairs[self.rng.integers(len(self.pairs))], "街")

    def lane(self) -> str:
        """Return a name for a lane."""
        return self.unique.take(_ALLEY[self.rng.integers(len(_ALLEY))], "巷")


def person_names(rng: np.random.Generator, count: int) -> list[str]:
    """Draw names of persons; some occur twice, as in life."""
    surname = rng.integers(len(_SURNAMES), size=count)
    given = rng.integers(len(_GIVEN), size=(count, 2))
    single = rng.random(count) < 0.22
    return [
        _SURNAMES[s] + _GIVEN[g[0]] + ("" if one else _GIVEN[g[1]])
        for s, g, one in zip(surname, given, single, strict=True)
    ]


def fake_phones(rng: np.random.Generator, count: int) -> list[str]:
    """Draw telephone numbers in a form that no network assigns (prefix 100)."""
    return [f"100{n:08d}" for n in rng.integers(0, 10**8, size=count)]

"""Reports as lines for a terminal, in Chinese or English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from gridsvc.quality import Certificate
    from gridsvc.services.raw import ImportReport


def report_text(report: ImportReport, language: str) -> str:
    """Return an import report as lines for a terminal."""
    zh = language == "zh"
    kept = ("试运行,未保存" if zh else "dry run, nothing kept") if report.dry_run else ""
    lines = [
        f"{report.source} → {report.layer}:{report.rows} 行,导入 {report.imported} {kept}".rstrip()
        if zh
        else f"{report.source} → {report.layer}: {report.rows} rows, "
        f"{report.imported} imported {kept}".rstrip()
    ]
    if report.batch_id and not report.dry_run:
        lines.append(f"导入批次 {report.batch_id}" if zh else f"import batch {report.batch_id}")
    if report.plan_id:
        lines.append(f"方案草案 {report.plan_id}" if zh else f"draft plan {report.plan_id}")
    if report.repairs is not None and report.moved_area_m2 is not None:
        count, moved, share = len(report.repairs), report.moved_area_m2, report.moved_share or 0.0
        lines.append(
            f"修复 {count} 处,移动面积 {moved:,.1f} 平方米({share:.6%}),捕捉距离 {report.snap_m} 米"
            if zh
            else f"{count} repairs, {moved:,.1f} m² moved ({share:.6%}), "
            f"snapped within {report.snap_m} m"
        )
        lines += repair_lines(report.repairs, language)
    if report.certificate is not None:
        lines.append(
            certificate_text(report.plan_id or report.source, report.certificate, language)
        )
    if report.placements:
        names = {"placed": "已定位", "on_border": "在边界上", "outside": "在范围外",
                 "no_coordinates": "无坐标", "invalid_coordinates": "坐标无效"}  # fmt: skip
        lines.append(
            ", ".join(f"{names[k] if zh else k} {v}" for k, v in report.placements.items())
        )
    if report.ambiguous is not None and len(report.ambiguous):
        count = len(report.ambiguous)
        lines.append(
            f"上级不明确的网格 {count} 条" if zh else f"{count} rows on cells with unclear parents"
        )
        lines += [f"  {_unclear(tuple(r), zh)}" for r in report.ambiguous.head(10).to_numpy()]
        if count > 10:
            lines.append(f"  …… 另有 {count - 10} 条" if zh else f"  … and {count - 10} more")
    if report.dropped:
        lines.append(
            ("按决定舍弃:" if zh else "left out by decision: ") + ", ".join(report.dropped[:20])
        )
    lines += [f"· {n.zh if zh else n.en}" for n in report.notes]
    return "\n".join(lines)


def _unclear(row: tuple[Any, ...], zh: bool) -> str:
    """Return one cell or community that lies in two parents, with the shares of both."""
    level, code, first, first_share, second, second_share = row
    levels = {"cell": ("网格", "cell"), "community": ("社区", "community")}
    word = levels[level][0 if zh else 1]
    return f"{word} {code}: {first} {first_share:.1%}, {second} {second_share:.1%}"


def repair_lines(log: pd.DataFrame, language: str) -> list[str]:
    """Return a repair log as one line for each kind of repair."""
    from gridsvc.quality.repair_log import summary

    zh = language == "zh"
    lines = []
    for row in summary(log):
        rows, cells, size = row["rows"], row["cells"], row["area_m2"]
        words = [f"{rows} 处" if zh else f"{rows} ×"]
        if cells:
            words.append(f"{cells} 个网格" if zh else f"{cells} cells")
        if row["vertices"]:
            words.append(f"{row['vertices']} 个节点" if zh else f"{row['vertices']} vertices")
        if size:
            words.append(f"{size:,.4g} 平方米" if zh else f"{size:,.4g} m²")
        if row["width_m"] is not None:
            wide = f"{row['width_m']:.3g}"
            words.append(f"最宽 {wide} 米" if zh else f"up to {wide} m wide")
        if row["shift_m"] is not None:
            far = f"{row['shift_m']:.3g}"
            words.append(f"最远 {far} 米" if zh else f"up to {far} m away")
        reason = row["reason_zh" if zh else "reason_en"]
        lines.append(f"  · {reason}:{','.join(words)}" if zh else f"  · {reason}: "
                     + ", ".join(words))  # fmt: skip
    return lines


def certificate_text(name: str, certificate: Certificate, language: str) -> str:
    """Return the six tests with their outcome, and the first findings."""
    zh = language == "zh"
    verdict = (
        ("通过" if certificate.ok else "未通过")
        if zh
        else ("passed" if certificate.ok else "failed")
    )
    lines = [f"证书 {name}:{verdict}" if zh else f"certificate of {name}: {verdict}"]
    for test in certificate.tests:
        mark = "✓" if test.passed else "✗"
        count = f"({test.findings})" if test.findings else ""
        lines.append(f"  {mark} {test.number} {test.zh if zh else test.en}{count}")
    shown = certificate.blocking.head(10)
    lines += [f"    - {m}" for m in shown["message_zh" if zh else "message_en"]]
    more = len(certificate.blocking) - len(shown)
    if more > 0:
        lines.append(f"    …… 另有 {more} 项" if zh else f"    … and {more} more")
    return "\n".join(lines)

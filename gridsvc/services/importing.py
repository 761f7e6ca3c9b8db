"""Import: a layer of a file becomes a draft plan or records, all of it or nothing.

Cells are judged, repaired, put into their hierarchy and certified; records are typed, referenced
and placed. Everything is computed before one unit of work stores it, with the batch that says
where it came from. The same file and options give the same cells, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from gridsvc.errors import EmptySource, InputError
from gridsvc.layers import RECORD_LAYERS
from gridsvc.services.import_batches import batch_record, new_batch_id, portion
from gridsvc.services.import_cells import AREA_LAYERS
from gridsvc.services.import_drafts import import_cells, import_exclusions
from gridsvc.services.import_records import check_layer, read_records
from gridsvc.services.ports import Storage, UnitOfWork
from gridsvc.services.raw import ImportOptions, ImportReport, RawLayer
from gridsvc.types import Clock, Progress, no_progress

ALIASES = {"network": "streets"}
_PORTION = 20_000  # rows stored between two reports
AS_LAYERS = ("cells", *AREA_LAYERS, "exclusions", *RECORD_LAYERS, *ALIASES)


def utc_now() -> datetime:
    """Return the present instant, aware."""
    return datetime.now(UTC)


def import_layer(
    storage: Storage,
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions | None = None,
    progress: Progress = no_progress,
    *,
    clock: Clock = utc_now,
) -> ImportReport:
    """Import one layer; either all of it is kept, with its batch record, or nothing.

    Parameters
    ----------
    storage : Storage
    raw : RawLayer
        As a reader returns it: EPSG:4490, rows in file order.
    as_layer : str
        One of ``AS_LAYERS``. Cells, communities and subdistricts become a draft plan;
        exclusions a new draft of the newest one; other layers records.
    options : ImportOptions, optional
    progress : Progress
        Called with the stage and the part done; raising ``Cancelled`` in it keeps nothing.
    clock : callable

    Returns
    -------
    ImportReport

    Raises
    ------
    InputError
        ``RejectedRows`` with every faulty row, ``DecisionNeeded``, ``WrongCrs``, ``EmptySource``.
    NoPlanInForce
        If rows need a cell and no plan is in force.
    DuplicateKey
        If a record of that key is there already and ``options.replace`` is not set.
    """
    return import_layers(storage, [raw], as_layer, options, progress, clock=clock)[0]


def import_layers(
    storage: Storage,
    raws: Sequence[RawLayer],
    as_layer: str,
    options: ImportOptions | None = None,
    progress: Progress = no_progress,
    *,
    clock: Clock = utc_now,
) -> list[ImportReport]:
    """Import several layers of one kind; either all of all of them is kept, or nothing.

    Later layers see what earlier ones brought: units, keys, exclusions.

    Parameters
    ----------
    raws : sequence of RawLayer
        Cells, communities and subdistricts come from one layer.
    storage, as_layer, options, progress, clock
        As for ``import_layer``.

    Returns
    -------
    list of ImportReport
        In the order of the layers, each with a batch of its own.

    Raises
    ------
    InputError, NoPlanInForce, DuplicateKey
        As for ``import_layer``; also ``InputError`` for cells of several layers.
    """
    options = options or ImportOptions()
    check_layer(as_layer, AS_LAYERS)
    as_layer = ALIASES.get(as_layer, as_layer)
    for raw in raws:
        if len(raw.frame) == 0:
            raise EmptySource(source=raw.source)
    now = clock()
    progress("read", 0.05)
    if as_layer in ("cells", *AREA_LAYERS):
        if len(raws) != 1:
            raise InputError(
                reason_zh="网格请合并为一个文件后导入", reason_en="cells come from one file"
            )
        return [import_cells(storage, raws[0], as_layer, options, progress, now)]
    reports: list[ImportReport] = []
    with storage.unit_of_work() as work:
        for nth, raw in enumerate(raws):
            part = portion(progress, 0.05 + 0.95 * nth / len(raws), 0.95 / len(raws))
            batch = new_batch_id(raw, as_layer, now)
            if batch in {r.batch_id for r in reports}:
                batch = f"{batch}-{nth + 1}"
            # A dry run of several layers stores all but the last, which is undone at the end.
            last = nth + 1 == len(raws)
            stored = not (options.dry_run and last)
            one = import_exclusions if as_layer == "exclusions" else _import_records
            reports.append(one(work, raw, as_layer, options, part, now, batch, stored))
        if not options.dry_run:
            work.commit()
    progress("done", 1.0)
    return reports


def _import_records(
    work: UnitOfWork,
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    progress: Progress,
    now: datetime,
    batch_id: str,
    stored: bool,
) -> ImportReport:
    records = read_records(work, raw, as_layer, options, options.at or now, progress, now)
    report = ImportReport(
        layer=as_layer,
        source=raw.source,
        digest=raw.digest,
        batch_id=batch_id,
        rows=len(raw.frame),
        imported=len(records.frame),
        placements=records.placements,
        notes=tuple(records.notes),
        dry_run=options.dry_run,
    )
    if not stored:
        return report
    progress("store", 0.75)
    work.batches.add(batch_record(report, options, now))
    if records.new_units is not None:
        work.records("units").append(records.new_units, batch_id=report.batch_id)
    repository = work.records(as_layer)
    put = repository.upsert if options.replace else repository.append
    # By portions of the one transaction, so that who cancels need not wait for all of them.
    for first in range(0, len(records.frame), _PORTION):
        put(records.frame.iloc[first : first + _PORTION], batch_id=report.batch_id)
        progress("store", 0.75 + 0.2 * min((first + _PORTION) / len(records.frame), 1.0))
    progress("commit", 0.95)
    return report

"""Documents of locate answers, for the OpenAPI description."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class StoredPlace(BaseModel):
    """The place in the system of the cells."""

    lon: float
    lat: float
    crs: str = "EPSG:4490"


class AreaRef(BaseModel):
    """One level of the chain from the cell to the city."""

    level: str
    code: str | None
    name: str | None


class CellRef(BaseModel):
    """The cell."""

    code: str
    name: str | None
    kind: str | None


class NeighbourRef(BaseModel):
    """A cell across the nearest boundary or within the accuracy."""

    code: str
    name: str | None
    distance_m: float


class PersonRef(BaseModel):
    """A person (or unit) who holds a role, and through which area."""

    person_id: str | None
    name: str | None
    unit_id: str | None
    unit_name: str | None
    via: str = Field(
        description="Kind of target: point, road, river, cell, community, subdistrict or city."
    )
    target_code: str
    valid_from: str | None
    valid_to: str | None


class NobodyRef(BaseModel):
    """A duty whose person or unit is not there: nobody holds the role by it."""

    role: str
    person_id: str | None
    unit_id: str | None
    via: str
    target_code: str
    duty_id: str
    reason_zh: str
    reason_en: str


class UnitRef(BaseModel):
    """The responsible unit and the rule that chose it."""

    unit_id: str | None
    name: str | None
    kind: str | None
    rule: str
    reason_zh: str
    reason_en: str


class PointUnitRef(BaseModel):
    """The unit that a point belongs to by its own record."""

    unit_id: str
    name: str | None


class PointRef(BaseModel):
    """The nearest evaluation point with its unit and its sponsors."""

    point_id: str
    name: str | None
    category: str | None
    address: str | None
    cell_code: str | None
    unit: PointUnitRef | None = Field(
        description="Of the point; the unit of a case at the place is `responsible_unit`."
    )
    persons: dict[str, list[PersonRef]]
    distance_m: float


class BesideRef(BaseModel):
    """A road or river near the place that somebody answers for."""

    kind: str = Field(description="road or river.")
    code: str = Field(description="Name of the road, id of the river's exclusion.")
    name: str | None
    distance_m: float = Field(description="To the centre line of the road, the river's bank.")
    within_m: float = Field(description="Up to this distance its duties reach a place.")


class CategoryRef(BaseModel):
    """The class of cases asked for."""

    code: str
    name: str
    major_code: str
    major_name: str


class DeadlineRef(BaseModel):
    """By when a case of the class is due that is dispatched at `at`."""

    model_config = ConfigDict(populate_by_name=True)

    due_at: str | None = Field(description="UTC; null where the catalogue states no time.")
    from_: str = Field(alias="from", description="When the clock starts: `at`.")
    hours: float | None = Field(description="8 to a workday.")
    clock: str = Field(description="work_hour, workday or urgent_hour.")
    timezone: str = Field(description="IANA zone whose work time counts.")
    rule: str | None = Field(description="Clock and hours, such as work_hour:4.")
    reason_zh: str
    reason_en: str


class PlanRef(BaseModel):
    """The plan version that answered."""

    id: str
    scheme: str
    number: int
    title: str
    status: str
    standing: str | None = Field(
        description="scheduled, in_force or superseded: where the version stands now."
    )
    effective_from: str | None
    effective_to: str | None


class LocateAnswer(BaseModel):
    """Everything a dispatcher needs to know of a coordinate."""

    lon: float = Field(description="As asked, in `datum`.")
    lat: float
    datum: str
    stored: StoredPlace
    at: str
    known_at: str | None = Field(description="As asked; null: all that is known.")
    accuracy_m: float | None
    on_border: bool = Field(description="Exactly on a boundary; the lowest code that covers wins.")
    boundary_distance_m: float
    ambiguous: bool = Field(
        description="Another cell may be right as well: the place is on a boundary, or the "
        "accuracy exceeds the distance to it."
    )
    covering: list[str] = Field(description="All cells that cover the place.")
    beside: list[BesideRef] = Field(
        description="The nearest road and the nearest river within reach whose duties count."
    )
    neighbours: list[NeighbourRef]
    nearest_point: PointRef | None
    cell_code: str
    cell: CellRef
    chain: list[AreaRef]
    persons: dict[str, list[PersonRef]] = Field(description="By role.")
    unknown_holders: list[NobodyRef]
    responsible_unit: UnitRef
    category: CategoryRef | None
    deadline: DeadlineRef | None = Field(description="Of the class asked for; null without one.")
    plan: PlanRef


class BulkColumns(BaseModel):
    """Column JSON: arrays of equal length; null is "no coordinate". Other arrays are refused."""

    model_config = ConfigDict(extra="forbid")

    lon: list[float | None]
    lat: list[float | None]
    accuracy_m: list[float | None] | None = Field(None, description="Accuracy of each, metres.")
    point_id: list[str | None] | None = Field(
        None, description="Evaluation point that the place is; brings its sponsors."
    )


class BulkAnswer(BaseModel):
    """Answer to column JSON, arrays aligned with the question; `with` adds further ones."""

    model_config = ConfigDict(extra="allow")

    cell_code: list[str | None]
    on_border: list[bool]
    placement: list[str]
    boundary_distance_m: list[float | None] | None = None
    ambiguous: list[bool | None] | None = None
    nearest_code: list[str | None] | None = Field(None, description="Of rows outside all cells.")
    nearest_distance_m: list[float | None] | None = None
    count: int
    plan: PlanRef

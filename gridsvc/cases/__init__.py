"""Cases: their catalogue of classes."""

from gridsvc.cases.catalogue import CaseClass, Catalogue

__all__ = ["CaseClass", "Catalogue"]

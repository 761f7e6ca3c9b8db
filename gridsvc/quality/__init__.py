"""Quality of a plan: repair of what comes in, and the certificate of what goes out."""

from gridsvc.quality.certificate import Certificate, CertificateTest, certify
from gridsvc.quality.decisions import OpenDecision
from gridsvc.quality.repair import repair
from gridsvc.quality.repair_result import RepairResult

__all__ = [
    "Certificate",
    "CertificateTest",
    "OpenDecision",
    "RepairResult",
    "certify",
    "repair",
]

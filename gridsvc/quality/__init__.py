"""Quality of a plan: repair of what comes in, and the certificate of what goes out."""

from gridsvc.quality.certificate import Certificate, CertificateTest, certify
from gridsvc.quality.decisions import OpenDecision
from gridsvc.quality.repair import RepairResult, repair

__all__ = [
    "Certificate",
    "CertificateTest",
    "OpenDecision",
    "RepairResult",
    "certify",
    "repair",
]

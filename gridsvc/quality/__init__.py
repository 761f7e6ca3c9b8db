"""Quality of a plan: repair of what comes in, and the certificate of what goes out."""

from gridsvc.quality.certificate import Certificate, CertificateTest, certify

__all__ = ["Certificate", "CertificateTest", "certify"]

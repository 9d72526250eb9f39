"""Certificates to sign pictures with, for tests; they need the package `cryptography`."""

import datetime as dt


class Authority:
    """A root, and certificates that it signs, made for a test."""

    def __init__(self, folder):
        from cryptography import x509  # noqa: PLC0415 (of an extra)
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

        self.folder, self.x509, self.ec, self.serialization = folder, x509, ec, serialization
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._pem(self._certificate("Root", self.key, is_authority=True))
        (folder / "root.pem").write_bytes(self.root)

    def give(self, name, key, password=None):
        """Writes a certificate and its key; gives their paths."""
        encoding = self.serialization
        protection = (
            encoding.BestAvailableEncryption(password) if password else encoding.NoEncryption()
        )
        certificate, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(self._pem(self._certificate(name, key)) + self.root)
        private.write_bytes(
            key.private_bytes(encoding.Encoding.PEM, encoding.PrivateFormat.PKCS8, protection)
        )
        return {"certificate": certificate, "private_key": private}

    def new_key(self, curve=None):
        return self.ec.generate_private_key(curve or self.ec.SECP256R1())

    def _pem(self, certificate):
        return certificate.public_bytes(self.serialization.Encoding.PEM)

    def _certificate(self, name, key, *, is_authority=False):
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 (of an extra)

        x509 = self.x509
        now = dt.datetime.now(dt.timezone.utc)
        usages = dict.fromkeys(
            (
                *("content_commitment", "key_encipherment", "data_encipherment"),
                *("key_agreement", "encipher_only", "decipher_only"),
            ),
            False,
        )

        def named(common_name):
            organisation = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Test Police")
            return x509.Name(
                [organisation, x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
            )

        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("Root"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not is_authority,
                    key_cert_sign=is_authority,
                    crl_sign=is_authority,
                    **usages,
                ),
                critical=True,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        if not is_authority:
            mail = x509.ExtendedKeyUsageOID.EMAIL_PROTECTION
            builder = builder.add_extension(x509.ExtendedKeyUsage([mail]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

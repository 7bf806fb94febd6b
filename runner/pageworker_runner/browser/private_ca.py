"""Makes this runner's browser trust certificates of its context's options, and no other runner's.

Chromium on Linux trusts what the NSS database of its user does, `$HOME/.pki/nssdb`, besides its own list
(net/cert/internal/trust_store_nss.h). A runner's HOME is a folder that ends with it. The database is written by NSS
itself, the library that Chromium loads anyway, as its program `certutil -A -t C,,` does. Certificates that name a key
(`--ignore-certificate-errors-spki-list`) are no way: Chromium then accepts any chain that contains the certificate,
without a signature by it.
"""

import ctypes
import os
import ssl
from pathlib import Path

from pageworker_runner.errors import StartError
from pageworker_sandbox.wire.page_options import pem_blocks

SERVERS_ONLY = b"C,,"
"""A trusted CA for servers; not for mail, not for code."""
NODE_CAS = "NODE_EXTRA_CA_CERTS"
"""Node.js reads the file when it starts. Playwright's driver makes the requests of `page.request` itself."""


class _Item(ctypes.Structure):
    """SECItem of NSS."""

    _fields_ = (("type", ctypes.c_int), ("data", ctypes.c_char_p), ("len", ctypes.c_uint))


class _Trust(ctypes.Structure):
    """CERTCertTrust of NSS."""

    _fields_ = (("ssl", ctypes.c_uint), ("email", ctypes.c_uint), ("signing", ctypes.c_uint))


def trust(pem: str, home: Path) -> None:
    """Write both stores, for a browser and a driver that start later with this HOME. Raises StartError."""
    file = home / "pageworker-ca.pem"
    file.write_text(pem)
    os.environ[NODE_CAS] = str(file)
    folder = home / ".pki/nssdb"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        nss = _library()
    except (OSError, AttributeError) as error:
        raise StartError(f"browser: no NSS library for the certificates of `ca`: install libnss3 ({error})") from error
    _check(nss, "NSS_Initialize", nss.NSS_Initialize(f"sql:{folder}".encode(), b"", b"", b"secmod.db", 0))
    try:
        for number, block in enumerate(pem_blocks(pem)):
            _add(nss, ssl.PEM_cert_to_DER_cert(block), f"pageworker-{number}".encode())
    finally:
        nss.NSS_Shutdown()


def _add(nss: ctypes.CDLL, der: bytes, nickname: bytes) -> None:
    slot = nss.PK11_GetInternalKeySlot()
    if nss.PK11_NeedUserInit(slot):
        # A new database: without a password, as Chromium makes it.
        _check(nss, "PK11_InitPin", nss.PK11_InitPin(slot, None, b""))
    store = nss.CERT_GetDefaultCertDB()
    item = _Item(0, der, len(der))
    certificate = nss.CERT_NewTempCertificate(store, ctypes.byref(item), None, 0, 1)
    _check(nss, "CERT_NewTempCertificate", 0 if certificate else 1)
    bits = _Trust()
    _check(nss, "CERT_DecodeTrustString", nss.CERT_DecodeTrustString(ctypes.byref(bits), SERVERS_ONLY))
    _check(nss, "PK11_ImportCert", nss.PK11_ImportCert(slot, certificate, 0, nickname, 0))
    _check(nss, "CERT_ChangeCertTrust", nss.CERT_ChangeCertTrust(store, certificate, ctypes.byref(bits)))
    nss.CERT_DestroyCertificate(certificate)
    nss.PK11_FreeSlot(slot)


def _check(nss: ctypes.CDLL, call: str, status: int) -> None:
    if status:
        raise StartError(f"browser: the certificates of `ca` cannot be stored: {call}: error {nss.PORT_GetError()}")


def _library() -> ctypes.CDLL:
    """NSS with the types of what is called. Source: its headers nss.h, pk11pub.h, cert.h."""
    nss = ctypes.CDLL("libnss3.so")
    text, number, pointer = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p
    for name, result, arguments in (
        ("NSS_Initialize", number, (text, text, text, text, ctypes.c_uint32)),
        ("NSS_Shutdown", number, ()),
        ("PORT_GetError", number, ()),
        ("PK11_GetInternalKeySlot", pointer, ()),
        ("PK11_NeedUserInit", number, (pointer,)),
        ("PK11_InitPin", number, (pointer, text, text)),
        ("PK11_ImportCert", number, (pointer, pointer, ctypes.c_ulong, text, number)),
        ("PK11_FreeSlot", None, (pointer,)),
        ("CERT_GetDefaultCertDB", pointer, ()),
        ("CERT_NewTempCertificate", pointer, (pointer, ctypes.POINTER(_Item), text, number, number)),
        ("CERT_DecodeTrustString", number, (ctypes.POINTER(_Trust), text)),
        ("CERT_ChangeCertTrust", number, (pointer, pointer, ctypes.POINTER(_Trust))),
        ("CERT_DestroyCertificate", None, (pointer,)),
    ):
        function = getattr(nss, name)
        function.restype, function.argtypes = result, arguments
    return nss

"""An EST server (RFC 7030) over OpenSSL: what a machine's renewal needs of one, and nothing of ours.

est_server.py CA.pem CA.key SERVER.pem SERVER.key LOG
"""

import base64
import http.server
import pathlib
import ssl
import subprocess
import sys
import tempfile

CA, CA_KEY, SERVER, SERVER_KEY, LOG = sys.argv[1:]
NAMES = "RFC2253,esc_2253,utf8"


def openssl(*arguments, given=None):
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.decode(errors="replace").strip().splitlines()[0])
    return done.stdout


def certs_only(path):
    der = openssl("crl2pkcs7", "-nocrl", "-certfile", str(path), "-outform", "DER")
    return base64.encodebytes(der)


def subject(text):
    return text.decode().split("=", 1)[1].strip()


def issue(request, holder, folder):
    """Signs `request` for whoever holds `holder`: same subject, proof of the new key (RFC 7030 section 4.2.2)."""
    openssl("req", "-inform", "DER", "-verify", "-noout", given=request)
    asked = subject(openssl("req", "-inform", "DER", "-noout", "-subject", "-nameopt", NAMES, given=request))
    held = subject(openssl("x509", "-inform", "DER", "-noout", "-subject", "-nameopt", NAMES, given=holder))
    if asked != held:
        raise ValueError(f"the request is for {asked}, and {held} asks")
    (folder / "request.der").write_bytes(request)
    new = folder / "new.pem"
    openssl(
        "x509", "-req", "-inform", "DER", "-in", str(folder / "request.der"), "-CA", CA, "-CAkey", CA_KEY,
        "-set_serial", "0x" + pathlib.Path("/dev/urandom").open("rb").read(8).hex(), "-days", "365",
        "-copy_extensions", "copyall", "-out", str(new),
    )
    return certs_only(new)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, kind, body):
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path} {status}\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if kind.startswith("application/pkcs7"):
            self.send_header("Content-Transfer-Encoding", "base64")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path != "/.well-known/est/machines/cacerts":
            return self.answer(404, "text/plain", b"no such operation\n")
        return self.answer(200, "application/pkcs7-mime", certs_only(CA))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path != "/.well-known/est/machines/simplereenroll":
            return self.answer(404, "text/plain", b"no such operation\n")
        if self.headers.get("Content-Type") != "application/pkcs10":
            return self.answer(415, "text/plain", b"application/pkcs10 is due\n")
        with tempfile.TemporaryDirectory() as folder:
            try:
                request = base64.b64decode(body, validate=False)
                done = issue(request, self.connection.getpeercert(binary_form=True), pathlib.Path(folder))
            except ValueError as fault:
                return self.answer(400, "text/plain", f"{fault}\n".encode())
        return self.answer(200, "application/pkcs7-mime; smime-type=certs-only", done)

    def log_message(self, *_arguments):
        pass


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CA)
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain(SERVER, SERVER_KEY)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"serving https://127.0.0.1:{server.server_address[1]}/machines", flush=True)
server.serve_forever()

"""An OpenStack service in miniature: a paste pipeline behind TLS, whose application answers with what the filters in
front of it found out.

    wsgi_service.py --paste api-paste.ini --cert server.pem --key server.key --client-ca ca.pem
        [--config-file service.conf] [--certificate environ|socket|none] [--listen 127.0.0.1:0]

The pipeline's application is `paste.app_factory = wsgi_service:application`. A client certificate is asked for and not
demanded. It reaches the filters as a front would hand it over (`environ`: SSL_CLIENT_CERT), as a server of its own TLS
would (`socket`: wsgi.input.get_socket()), or not at all.
"""

import argparse
import json
import logging
import socketserver
import ssl
import sys
from wsgiref import simple_server

from paste.deploy import loadapp


def application(global_conf, **local_conf):
    """The protected application: what it was told about the caller, as JSON."""

    def answer(environ, start_response):
        told = {
            name: value
            for name, value in environ.items()
            if isinstance(value, (str, dict)) and name.startswith(("HTTP_", "keystone.token_info"))
        }
        body = json.dumps({"path": environ["PATH_INFO"], "environ": told}, sort_keys=True).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


class SocketInput:
    """wsgi.input of a server that lets filters look at its socket, as eventlet's does."""

    def __init__(self, stream, connection):
        self._stream = stream
        self._connection = connection

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def get_socket(self):
        return self._connection


class Handler(simple_server.WSGIRequestHandler):
    """One request of one connection."""

    timeout = 30

    def setup(self):
        self.request.settimeout(self.timeout)
        self.request.do_handshake()
        super().setup()

    def get_environ(self):
        environ = super().get_environ()
        # CGI would bring a header `SSL_CLIENT_CERT:` in as HTTP_SSL_CLIENT_CERT: only the TLS stack sets the plain name.
        environ.pop("SSL_CLIENT_CERT", None)
        environ["wsgi.url_scheme"] = "https"
        certificate = self.request.getpeercert(binary_form=True)
        if certificate and self.server.certificate == "environ":
            environ["SSL_CLIENT_CERT"] = ssl.DER_cert_to_PEM_cert(certificate)
        return environ

    def handle(self):
        self.raw_requestline = self.rfile.readline(65537)
        if len(self.raw_requestline) > 65536 or not self.raw_requestline or not self.parse_request():
            return
        stream = self.rfile
        if self.server.certificate == "socket":
            stream = SocketInput(stream, self.request)
        handler = simple_server.ServerHandler(
            stream, self.wfile, self.get_stderr(), self.get_environ(), multithread=True
        )
        handler.request_handler = self
        handler.run(self.server.get_app())

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """TLS and one thread for each connection."""

    daemon_threads = True
    # Some hundred connections may be waiting at once.
    request_queue_size = 128
    certificate = "environ"

    def __init__(self, address, context):
        self.context = context
        super().__init__(address, Handler)

    def get_request(self):
        connection, address = self.socket.accept()
        # The handshake belongs to the connection's own thread.
        wrapped = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def handle_error(self, request, client_address):
        # A handshake that the client breaks off is no news.
        if not isinstance(sys.exc_info()[1], (ssl.SSLError, ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--paste", required=True)
    parser.add_argument("--config-file")
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--client-ca", required=True)
    parser.add_argument("--certificate", choices=("environ", "socket", "none"), default="environ")
    parser.add_argument("--listen", default="127.0.0.1:0")
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    if arguments.config_file:
        from oslo_config import cfg

        cfg.CONF(["--config-file", arguments.config_file], project="service")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(arguments.cert, arguments.key)
    context.load_verify_locations(arguments.client_ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    host, port = arguments.listen.rsplit(":", 1)
    server = Server((host, int(port)), context)
    server.certificate = arguments.certificate
    server.set_app(loadapp(f"config:{arguments.paste}"))
    print(f"serving https://{host}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    # Under its own name too, so that the pipeline's factory is this module and not a second copy of it.
    sys.modules["wsgi_service"] = sys.modules["__main__"]
    main()

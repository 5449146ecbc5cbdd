"""Certificates for tests, made by the openssl command: a CA, and what it signs, by the fault that they have."""

import os
import subprocess

_CONFIG = """
[ca]
default_ca = this
[this]
dir = {dir}
database = $dir/index.txt
rand_serial = yes
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = subject
[subject]
"""


class Authority:
    """A CA in a folder of its own: ca.pem, and NAME.pem with NAME.key for what it signed."""

    def __init__(self, folder, name="ca"):
        os.makedirs(folder)
        self.folder = folder
        with open(self.path("config"), "w") as config:
            config.write(_CONFIG.format(dir=folder))
        with open(self.path("index.txt"), "w"):
            pass
        self._new_key("ca", "/CN=" + name, "-x509", "-days", "30", "-addext", "basicConstraints=critical,CA:TRUE")

    def path(self, name):
        return os.path.join(self.folder, name)

    def _openssl(self, *words):
        subprocess.run(("openssl",) + words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def _new_key(self, name, subject, *words):
        out = self.path(name + (".pem" if "-x509" in words else ".csr"))
        self._openssl("req", "-new", "-config", self.path("config"), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", self.path(name + ".key"), "-out", out, "-subj", subject, *words)

    def sign(self, name, host="localhost", dates=()):
        """Makes NAME.pem and NAME.key for this host; dates: words of `openssl ca`."""
        self._new_key(name, "/CN=" + name, "-addext", "subjectAltName=DNS:" + host)
        self._openssl("ca", "-config", self.path("config"), "-batch", "-notext", "-in", self.path(name + ".csr"), "-out",
                      self.path(name + ".pem"), *dates)
        return name

    def sign_itself(self, name):
        """The same with a certificate that nobody else has signed."""
        self._new_key(name, "/CN=" + name, "-x509", "-days", "30", "-addext", "subjectAltName=DNS:localhost")
        return name

    def revoke(self, name):
        self._openssl("ca", "-config", self.path("config"), "-revoke", self.path(name + ".pem"))

    def with_revoked(self):
        """Makes ca_and_list.pem: the CA, and its list of what is revoked."""
        self._openssl("ca", "-config", self.path("config"), "-gencrl", "-out", self.path("list.pem"))
        with open(self.path("ca_and_list.pem"), "w") as both:
            for part in ("ca.pem", "list.pem"):
                with open(self.path(part)) as text:
                    both.write(text.read())
        return self.path("ca_and_list.pem")

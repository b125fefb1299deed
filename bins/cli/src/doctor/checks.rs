//! Every misconfiguration that is known. `docs/reference/doctor.md` lists them; each has a test that makes it.

use super::finding::{Area, Check, Severity};

macro_rules! checks {
    ($($name:ident = $id:literal, $area:ident, $severity:ident: $problem:literal => $action:literal;)+) => {
        $(pub(super) static $name: Check = Check {
            id: $id,
            area: Area::$area,
            severity: Severity::$severity,
            problem: $problem,
            action: $action,
        };)+

        /// All of them, by area.
        pub(super) static ALL: &[&Check] = &[$(&$name),+];
    };
}

checks! {
    CONFIG_UNREADABLE = "config-unreadable", Configuration, Wrong:
        "the configuration cannot be read" =>
        "name the server's file by --config, as a user who may read it, and mend the line that is told";
    CONFIG_UNKNOWN_KEY = "config-unknown-key", Configuration, Wrong:
        "a key does not exist: the server does not start with it" =>
        "correct its name, or take it out; docs/reference/configuration.md lists all";
    CONFIG_INCOMPLETE = "config-incomplete", Configuration, Wrong:
        "a key is missing that the server needs" =>
        "add it; examples/sealstoned.toml explains each";
    CONFIG_ADDRESS = "config-address", Configuration, Wrong:
        "an address of the server is none that it takes: it does not start with it" =>
        "an https URL without user, query, fragment and final slash, like https://id.example.org";
    CONFIG_CONTRADICTION = "config-contradiction", Configuration, Wrong:
        "two keys cannot both be meant, or one stands without the other" =>
        "set both, or keep the one that is meant";
    CONFIG_OPEN = "config-open", Configuration, Wrong:
        "others than its owner may change the configuration: whoever may, decides whom the server trusts" =>
        "chmod go-w the file and its folder";
    CONFIG_DANGEROUS = "config-dangerous", Configuration, Warning:
        "a protection is switched off" =>
        "take the key out, unless somebody has decided on it and knows why";
    LIMITS_OFF = "limits-off", Configuration, Wrong:
        "every address is exempt from limits: one caller can take all of the server" =>
        "list only the balancers whose clients you cannot see in limits.insecure_unlimited_networks";
    ADMIN_OPEN = "admin-open", Configuration, Warning:
        "health and metrics are answered in the clear to more than this machine" =>
        "bind server.admin_listen to 127.0.0.1 or to a network that only operators reach";
    LOG_DEBUG = "log-debug", Configuration, Warning:
        "the log tells every detail: it fills disks, and names who did what" =>
        "set log.level to \"info\"";
    KEYS_POLICY = "keys-policy", Configuration, Wrong:
        "the rotation policy would let a verifier meet a key that it does not know" =>
        "correct the keys of [keys] as the evidence says";
    KEYS_NO_RS256 = "keys-no-rs256", Configuration, Warning:
        "no RS256 key: Kubernetes, Grafana, oauth2-proxy and mod_auth_openidc expect one unless told otherwise" =>
        "add \"RS256\" to keys.algorithms, or set every relying party to the algorithm that there is";

    SECRET_MISSING = "secret-missing", Secrets, Wrong:
        "a file with a secret cannot be read" =>
        "restore it from where secrets are kept; a new pepper or key encryption key makes what is stored unreadable";
    SECRET_OPEN = "secret-open", Secrets, Wrong:
        "others than its owner may read or change a secret" =>
        "chmod 600 it, and replace what it holds if somebody else has an account on this machine";
    SECRET_LINK = "secret-link", Secrets, Wrong:
        "a secret is reached by a symbolic link, whose target others may change" =>
        "name the file itself";
    SECRET_EMPTY = "secret-empty", Secrets, Wrong:
        "a file with a secret is empty" =>
        "restore it from where secrets are kept";
    SECRET_MALFORMED = "secret-malformed", Secrets, Wrong:
        "what lies there is no such secret" =>
        "restore the file; a new one is made by `openssl rand -hex 32` before the first start only";
    SECRETS_ALIKE = "secrets-alike", Secrets, Wrong:
        "two secrets are the same: who learns one has both" =>
        "make them apart before the first start; afterwards plan the change, for it ends what was stored under them";
    SECRETS_FOLDER_OPEN = "secrets-folder-open", Secrets, Wrong:
        "others may put files into the folder of a secret, in its place" =>
        "chmod go-w the folder";

    CERTIFICATE_UNREADABLE = "certificate-unreadable", Certificates, Wrong:
        "the server's certificate or key cannot be used: the server does not start" =>
        "put the chain (its own certificate first) and the key there as PEM";
    CERTIFICATE_KEY_MISMATCH = "certificate-key-mismatch", Certificates, Wrong:
        "the private key belongs to another certificate" =>
        "put the pair in place that was made together, and send the server SIGHUP";
    CERTIFICATE_EXPIRED = "certificate-expired", Certificates, Wrong:
        "a certificate of the server's chain is past its end: clients refuse to connect" =>
        "renew it, put it in place; the server takes it within 5 s, or at SIGHUP";
    CERTIFICATE_NOT_YET = "certificate-not-yet", Certificates, Wrong:
        "a certificate of the server's chain is not valid yet: clients refuse to connect" =>
        "set this machine's clock, or put the earlier certificate back until then";
    CERTIFICATE_ENDS_SOON = "certificate-ends-soon", Certificates, Warning:
        "a certificate of the server's chain ends soon" =>
        "renew it now, and see why it was not renewed by itself";
    CERTIFICATE_OTHER_NAME = "certificate-other-name", Certificates, Wrong:
        "the server's certificate is not for the name in its address" =>
        "get a certificate that names every host of base_url and mtls_base_url, unless a proxy before it has one";
    CERTIFICATE_ORDER = "certificate-order", Certificates, Wrong:
        "the chain is not in order: many clients look no further than the next certificate" =>
        "write the server's own first, then each issuer after what it signed";
    CERTIFICATE_INCOMPLETE = "certificate-incomplete", Certificates, Wrong:
        "the chain leads to no authority that is trusted" =>
        "append the intermediate certificates to certificate_file; for an authority of your own, name it here by --ca";
    CERTIFICATE_WEAK_KEY = "certificate-weak-key", Certificates, Wrong:
        "a key of the server's chain is too short, or of a kind that clients refuse" =>
        "renew with a key on P-256, or RSA of at least 2048 bits";
    CERTIFICATE_WEAK_SIGNATURE = "certificate-weak-signature", Certificates, Wrong:
        "a certificate of the server's chain is signed with SHA-1 or MD5: clients refuse it" =>
        "have it issued again with SHA-256";
    CERTIFICATE_NOT_FOR_SERVERS = "certificate-not-for-servers", Certificates, Wrong:
        "the certificate is not for servers (extended key usage)" =>
        "have it issued again with serverAuth";

    CLIENT_CA_UNREADABLE = "client-ca-unreadable", Trust, Wrong:
        "an authority of clients, or a revocation list, cannot be used: the server does not start" =>
        "put authorities' certificates into tls.client_ca_files and their lists into tls.crl_files, as PEM";
    CLIENT_CA_EXPIRED = "client-ca-expired", Trust, Wrong:
        "an authority of clients is out of date: it vouches for nobody, and all its clients are refused" =>
        "add its renewed certificate to tls.client_ca_files, and have its clients renew";
    CLIENT_CA_ENDS_SOON = "client-ca-ends-soon", Trust, Warning:
        "an authority of clients ends soon: all its clients are refused from then on" =>
        "add its successor to tls.client_ca_files now, and renew clients under it";
    CRL_NONE = "crl-none", Trust, Warning:
        "client certificates are taken without revocation lists: a stolen one works until its end" =>
        "name the authorities' lists in tls.crl_files and renew them by a timer";
    CRL_MISSING = "crl-missing", Trust, Wrong:
        "there are lists, and none of this authority: all its clients are refused" =>
        "add its list to tls.crl_files";
    CRL_EXPIRED = "crl-expired", Trust, Wrong:
        "a revocation list is past its nextUpdate: all clients of its authority are refused" =>
        "fetch or make a new one (`sealstone ca crl`) and see why it was not renewed by itself";
    CRL_ENDS_SOON = "crl-ends-soon", Trust, Warning:
        "a revocation list is due within hours: after that all clients of its authority are refused" =>
        "renew it now, and let a timer do it at half of its life";

    NAME_UNKNOWN = "name-unknown", Dns, Wrong:
        "the name in the server's address has no address" =>
        "add it to DNS, or correct the URL";
    NAME_NOT_SERVED = "name-not-served", Dns, Wrong:
        "nothing listens at one of the name's addresses: clients that try it first wait or fail" =>
        "listen there too (listen = \"[::]:PORT\" takes both families), or take the address out of DNS";
    NAME_LOOPBACK = "name-loopback", Dns, Warning:
        "the name leads to this machine itself: on every other one it leads to nothing of ours" =>
        "give base_url a name that clients can resolve, and see /etc/hosts here";
    LISTEN_LOOPBACK = "listen-loopback", Dns, Wrong:
        "the server listens on the loopback interface alone, its name leads elsewhere, and there is no [proxy]" =>
        "set server.listen to 0.0.0.0 or [::], or put the proxy of this machine into [proxy]";
    NAME_REDIRECT_UNKNOWN = "name-redirect-unknown", Dns, Warning:
        "a client's redirect URI names a host that has no address: nobody can come back to it" =>
        "correct the redirect URI, or the client's DNS entry";

    DATABASE_MISSING = "database-missing", Database, Wrong:
        "there is no database: the server would begin an empty one" =>
        "correct storage.path, mount its disk, or restore a backup; on a new server start it once";
    DATABASE_OPEN = "database-open", Database, Wrong:
        "others than its owner may read or change the database" =>
        "chmod 600 the file and its -wal and -shm";
    DATABASE_PERMISSION = "database-permission", Database, Wrong:
        "the database may not be read or written" =>
        "give file and folder to the server's user, and run this as that user";
    DATABASE_LOCKED = "database-locked", Database, Wrong:
        "another process holds the database: no change is possible" =>
        "find it (`fuser FILE`) and end it; a copy is made by `sealstone db backup`, not by holding the file";
    DATABASE_DAMAGED = "database-damaged", Database, Wrong:
        "the database is damaged" =>
        "stop the server, keep the file aside, and restore a backup: `sealstone db restore`";
    DATABASE_FOREIGN = "database-foreign", Database, Wrong:
        "what lies there is no database of this server" =>
        "correct storage.path, or move the file away";
    DATABASE_NEWER = "database-newer", Database, Wrong:
        "the database is of a later version: this program must not touch it" =>
        "upgrade this node, or restore the backup from before the upgrade";
    DATABASE_OLDER = "database-older", Database, Warning:
        "the database's schema is older than this program's" =>
        "run `sealstoned db migrate`, or start the new server once";
    DISK_FULL = "disk-full", Database, Wrong:
        "a disk that is written on is all but full: changes and audit events will be refused" =>
        "free or add space; rotate audit files that were shipped";
    AUDIT_UNWRITABLE = "audit-unwritable", Database, Wrong:
        "audit events cannot be written: nothing would be issued" =>
        "make its folder, and give it and the file to the server's user";
    POSTGRES_UNREACHABLE = "postgres-unreachable", Database, Wrong:
        "the database server does not answer" =>
        "see whether it runs, and whether name, port and firewalls are right";
    POSTGRES_REFUSED = "postgres-refused", Database, Wrong:
        "the database server does not let this user in" =>
        "correct user and password_file in [storage.postgres], or the server's pg_hba.conf";
    POSTGRES_TLS = "postgres-tls", Database, Wrong:
        "no encrypted connection to the database came about" =>
        "the server needs `ssl = on` and a certificate for this host name by an authority in storage.postgres.ca_file";
    POSTGRES_NO_DATABASE = "postgres-no-database", Database, Wrong:
        "the server has no such database" =>
        "createdb --owner USER NAME, or correct the URL";
    POSTGRES_READ_ONLY = "postgres-read-only", Database, Wrong:
        "the database server is a replica: it takes no change" =>
        "name the primary, or all hosts, in storage.postgres.url; promote the replica if the primary is lost";
    POSTGRES_NOT_DURABLE = "postgres-not-durable", Database, Wrong:
        "the database may forget what it has committed when the power fails: spent codes would be good again" =>
        "set fsync = on and full_page_writes = on in postgresql.conf";
    POSTGRES_CONNECTIONS = "postgres-connections", Database, Warning:
        "the database server has fewer free connections than this node may take" =>
        "raise max_connections there, or lower storage.postgres.connections on every node";
    CLOCK_DATABASE = "clock-database", Database, Wrong:
        "this machine's clock and the database's differ" =>
        "let NTP keep both: beyond 10 s the server gives no token";

    HSM_MODULE_MISSING = "hsm-module-missing", Hsm, Wrong:
        "the PKCS#11 module is not there: no key of the token signs" =>
        "install the token's software, or correct pkcs11.module";
    HSM_MODULE_NOT_A_LIBRARY = "hsm-module-not-a-library", Hsm, Wrong:
        "what pkcs11.module names is no shared library" =>
        "name the library of the token's vendor (NAME.so), and install it anew if it is damaged";
    HSM_MODULE_ARCHITECTURE = "hsm-module-architecture", Hsm, Wrong:
        "the PKCS#11 module is made for other machines than this one" =>
        "install the vendor's package for this machine's architecture";
    HSM_MODULE_NOT_PKCS11 = "hsm-module-not-pkcs11", Hsm, Wrong:
        "the library is no PKCS#11 module" =>
        "vendors ship several libraries: name the one that their manual gives for PKCS#11";
    HSM_MODULE_FAILS = "hsm-module-fails", Hsm, Wrong:
        "the PKCS#11 module cannot be loaded or does not start" =>
        "see the evidence: a library that it needs, its own configuration, or a service that it talks to; run this as the \
         server's user with the server's environment";
    HSM_SLOT_EMPTY = "hsm-slot-empty", Hsm, Wrong:
        "the module finds no token that is set up" =>
        "plug it in, start its service, see that the server's user may reach it, or initialize it by the vendor's tool";
    HSM_TOKEN_UNKNOWN = "hsm-token-unknown", Hsm, Wrong:
        "no token has the label that is configured" =>
        "correct pkcs11.token_label, or plug in the token that has it";
    HSM_TOKEN_TWICE = "hsm-token-twice", Hsm, Wrong:
        "two tokens have the label: which one signs is chance" =>
        "take one out, or give it another label; keys that one has the other lacks";
    HSM_PIN_MISSING = "hsm-pin-missing", Hsm, Wrong:
        "there is no PIN to log in with" =>
        "set pkcs11.pin_file to a file that the server's user alone may read, or SEALSTONE__PKCS11__PIN";
    HSM_PIN_UNSET = "hsm-pin-unset", Hsm, Wrong:
        "the token has no user PIN yet" =>
        "its security officer sets one by the vendor's tool";
    HSM_PIN_WRONG = "hsm-pin-wrong", Hsm, Wrong:
        "the token refuses the PIN" =>
        "correct pkcs11.pin_file; this PIN was tried once and is not tried again until somebody has logged in with the right \
         one, or --try-pin is given";
    HSM_PIN_NOT_TRIED = "hsm-pin-not-tried", Hsm, Warning:
        "a wrong PIN was tried since the last login: this one was not tried, since tokens lock after a few" =>
        "where you are sure of the PIN, give --try-pin once; the server tries it when it starts";
    HSM_PIN_LAST_TRY = "hsm-pin-last-try", Hsm, Wrong:
        "one wrong PIN more locks the token: neither this program nor the server tries theirs" =>
        "log in once by the vendor's tool with the right PIN, which sets the count back; correct pkcs11.pin_file, then start \
         the server";
    HSM_PIN_LOCKED = "hsm-pin-locked", Hsm, Wrong:
        "the user PIN is locked after too many wrong ones: nothing is signed" =>
        "its security officer sets a new PIN by the vendor's tool; find who tried, before it is locked again";
    HSM_LOGIN_FAILS = "hsm-login-fails", Hsm, Wrong:
        "the token does not let its user in" =>
        "see the evidence, and the token's own log or service";
    HSM_SESSIONS = "hsm-sessions", Hsm, Wrong:
        "the token does not open as many sessions as are configured: requests fail under load" =>
        "lower pkcs11.sessions, counting every node that uses the token, or raise the limit at the token";
    HSM_KEY_MISSING = "hsm-key-missing", Hsm, Wrong:
        "the ring names a key that the token does not have: nothing is signed by it" =>
        "see whether it is the right token, and restore the key from its backup; else `sealstone key revoke` it";
    HSM_KEY_OTHER = "hsm-key-other", Hsm, Wrong:
        "the token's key is another than the one that is published" =>
        "one of them was exchanged: find out who and why before either is used again; then `sealstone key revoke` it";
    HSM_KEY_NOT_SIGNING = "hsm-key-not-signing", Hsm, Wrong:
        "the token has the key and does not sign by it" =>
        "see the evidence: a key without CKA_SIGN, an algorithm that the token's policy forbids; rotate to a key that signs";

    KEY_ENCRYPTION_KEY_OTHER = "key-encryption-key-other", Keys, Wrong:
        "the signing keys cannot be opened with this key encryption key: nothing can be signed" =>
        "put the key back with which the database was written; a backup of one is worth nothing without the other";
    KEYS_NONE = "keys-none", Keys, Warning:
        "an issuer has no signing keys yet" =>
        "start the server: it makes them";
    KEYS_ALGORITHM_MISSING = "keys-algorithm-missing", Keys, Wrong:
        "no key signs by an algorithm that the configuration names" =>
        "start the server anew: it makes the key, and publishes it before it signs";
    KEYS_OVERDUE = "keys-overdue", Keys, Wrong:
        "a signing key should have been replaced: nobody rotates" =>
        "see whether a server runs on this database, and what its log says of maintenance";

    CLIENT_SECRET_ENDED = "client-secret-ended", Clients, Wrong:
        "a client's only secret is past its end: it gets no token" =>
        "`sealstone client rotate-secret ID`, or disable the client";
    CLIENT_SECRET_ENDS_SOON = "client-secret-ends-soon", Clients, Warning:
        "a client's only secret ends soon" =>
        "`sealstone client rotate-secret ID`: the old one stays good for the overlap";
    CLIENT_CERTIFICATE_ENDED = "client-certificate-ended", Clients, Wrong:
        "every certificate that a client has registered is out of date" =>
        "register its new certificate, or its key without x5c";
    CLIENT_WITHOUT_MTLS = "client-without-mtls", Clients, Wrong:
        "a client authenticates by certificate, and no listener or proxy asks for one" =>
        "set server.mtls_listen and mtls_base_url, or [proxy]";
    CLIENT_WITHOUT_CA = "client-without-ca", Clients, Wrong:
        "a client's certificate must be of a trusted authority, and there is none" =>
        "name the authority in tls.client_ca_files";
    CLIENT_WITHOUT_PEOPLE = "client-without-people", Clients, Wrong:
        "people sign in to this client, and nobody is configured who knows people" =>
        "add [people], or [people_of.DOMAIN]";
    CLIENT_WITHOUT_KEYSTONE = "client-without-keystone", Clients, Wrong:
        "a client is tied to Keystone, and none is configured: it gets no `openstack:api` token" =>
        "add [keystone]";
    CLIENT_ALGORITHM_MISSING = "client-algorithm-missing", Clients, Wrong:
        "a client wants tokens of an algorithm that no key has" =>
        "add it to keys.algorithms, or change the client's *_signed_response_alg";
    CLIENT_DOMAIN_DISABLED = "client-domain-disabled", Clients, Warning:
        "a domain is disabled while clients of it are enabled: they are all refused" =>
        "enable the domain, or disable its clients";
    CLIENT_UNUSED = "client-unused", Clients, Warning:
        "a client is old, and the audit trail in hand does not know it: a credential that nobody would miss" =>
        "ask its owner; `sealstone client disable ID` can be taken back";

    ISSUER_NOT_HTTPS = "issuer-not-https", Issuer, Wrong:
        "an address of the server is not https" =>
        "write https://; TLS may end at a proxy, but clients see it";
    ISSUER_UNREACHABLE = "issuer-unreachable", Issuer, Wrong:
        "nothing answers at the issuer's address" =>
        "see whether the server or its proxy runs and listens there, and what firewalls say";
    ISSUER_NO_TLS = "issuer-no-tls", Issuer, Wrong:
        "what answers at the issuer's address does not speak TLS" =>
        "the port must be the TLS one: in nginx `listen 443 ssl`, in HAProxy `bind ... ssl`, in Apache `SSLEngine on`";
    SERVED_EXPIRED = "served-expired", Issuer, Wrong:
        "the certificate that is served is out of date" =>
        "renew it where TLS ends; a proxy that was not reloaded serves the old one still";
    SERVED_OTHER_NAME = "served-other-name", Issuer, Wrong:
        "the certificate that is served is for other names" =>
        "give the proxy the certificate of this name; another site may be its default";
    SERVED_UNTRUSTED = "served-untrusted", Issuer, Wrong:
        "the certificate that is served leads to no trusted authority" =>
        "serve the intermediate certificates too; for an authority of your own, name it here by --ca";
    SERVED_OLD_CERTIFICATE = "served-old-certificate", Issuer, Warning:
        "the server still serves another certificate than the one in its file" =>
        "send it SIGHUP, and read in its log why a reload was refused; a proxy of its own certificate belongs into [proxy]";
    ISSUER_REDIRECTS = "issuer-redirects", Issuer, Wrong:
        "the issuer's address redirects, which clients of discovery do not follow" =>
        "let the proxy pass the path on as it is, or make base_url the address that it leads to";
    PROXY_CANNOT_REACH = "proxy-cannot-reach", Issuer, Wrong:
        "a proxy answers, and does not reach the server" =>
        "see whether the server runs, and whether the proxy's address, port, TLS and trust of it are right";
    ISSUER_PATH_LOST = "issuer-path-lost", Issuer, Wrong:
        "the issuer's documents are not at the issuer's path" =>
        "the proxy must pass the whole path: in nginx a `proxy_pass` without a path of its own";
    ISSUER_OTHER_SERVER = "issuer-other-server", Issuer, Wrong:
        "something else than this server answers at the issuer's address" =>
        "see where DNS and the proxy lead for this host and path";
    ISSUER_DIFFERS = "issuer-differs", Issuer, Wrong:
        "discovery names another issuer than the address it is fetched from: clients compare them byte for byte" =>
        "set server.base_url to what clients use, or send them to what it says; mind the slash at the end and the port";
    JWKS_OTHER = "jwks-other", Issuer, Wrong:
        "the keys that are served are not those of this database: tokens of one are refused by the other" =>
        "see whether another node serves another database, or a cache an old answer";
    MTLS_ASKS_NOBODY = "mtls-asks-nobody", Issuer, Wrong:
        "the address for clients with certificates asks for none: no token can be bound" =>
        "let the proxy ask for it (nginx `ssl_verify_client optional_no_ca`), or point the name at server.mtls_listen";
    PUBLIC_ASKS = "public-asks", Issuer, Warning:
        "the address for everybody asks for a certificate: browsers show a picker" =>
        "use a host or port of its own for mtls_base_url";
    PROXY_PASSES_CERTIFICATES = "proxy-passes-certificates", Issuer, Wrong:
        "the proxy passes on a certificate header that its client wrote: anybody can be any client" =>
        "set or remove the header in the proxy for every request, on every path; examples/proxies shows how";
    PROXY_NOT_TRUSTED = "proxy-not-trusted", Issuer, Wrong:
        "requests come from a proxy that is in no trusted network: certificates and addresses that it forwards are ignored" =>
        "add the proxy's address to proxy.trusted_networks";
    PROXY_NOT_BELIEVED = "proxy-not-believed", Issuer, Wrong:
        "the proxy's address is trusted, and what it says of its clients is not taken" =>
        "let it set X-Forwarded-For, and proxy.secret_header with the secret of proxy.secret_file";
    PROXY_UNCONFIGURED = "proxy-unconfigured", Issuer, Warning:
        "requests come through a proxy that the server does not know: one address stands for everybody in limits and audit" =>
        "add [proxy] with its address; one that passes TLS on belongs into limits.insecure_unlimited_networks";
    PROXY_BODY_LIMIT = "proxy-body-limit", Issuer, Wrong:
        "a proxy refuses bodies that the server takes (64 KiB): signed requests and assertions fail" =>
        "raise its limit, in nginx `client_max_body_size 64k`";
    PROXY_HEADER_LIMIT = "proxy-header-limit", Issuer, Wrong:
        "a proxy refuses headers that the server takes: tokens with many roles fail" =>
        "raise its limit: nginx `large_client_header_buffers 4 16k`, Apache `LimitRequestFieldSize 16384`, HAProxy `tune.bufsize`";
    HEADERS_LOST = "headers-lost", Issuer, Warning:
        "a proxy takes away headers that protect answers" =>
        "let it pass Cache-Control, Strict-Transport-Security and X-Content-Type-Options on";
    CLOCK_ISSUER = "clock-issuer", Issuer, Wrong:
        "this machine's clock and that at the issuer's address differ: tokens are refused as of the future or the past" =>
        "let NTP keep both";

    KEYSTONE_ADDRESS = "keystone-address", Keystone, Wrong:
        "the address of Keystone cannot be used" =>
        "correct `url` and `ca_file` in [keystone]";
    KEYSTONE_UNREACHABLE = "keystone-unreachable", Keystone, Wrong:
        "Keystone does not answer: clients tied to it get no `openstack:api` token" =>
        "check the address, the network, and that Keystone runs";
    KEYSTONE_UNTRUSTED = "keystone-untrusted", Keystone, Wrong:
        "Keystone's certificate is not trusted" =>
        "name its authority in keystone.ca_file, and Keystone by a name that its certificate has";
    KEYSTONE_NOT_THERE = "keystone-not-there", Keystone, Wrong:
        "what answers there is no Keystone" =>
        "the address ends in /v3, and is Keystone's own";
    KEYSTONE_OLD = "keystone-old", Keystone, Wrong:
        "Keystone is too old for access rules" =>
        "upgrade it: 3.13 (Train) or later";
    KEYSTONE_PLAIN = "keystone-plain", Keystone, Warning:
        "Keystone is asked in the clear across a network" =>
        "use https, and take keystone.dangerous_plain_http away";
    KEYSTONE_CLOCK = "keystone-clock", Keystone, Wrong:
        "Keystone's clock and ours differ" =>
        "let NTP keep both: Keystone breaks off on tokens of its future";
    KEYSTONE_ACCOUNT = "keystone-account", Keystone, Wrong:
        "the server cannot log in at Keystone as it should" =>
        "check id and secret in [keystone.service]: gone, expired, its user disabled, or mistyped";
    KEYSTONE_ACCOUNT_WEAK = "keystone-account-weak", Keystone, Warning:
        "the server's account at Keystone is more than it needs, or ends soon" =>
        "make a restricted application credential with the role `service` alone";
    KEYSTONE_REVOCATIONS = "keystone-revocations", Keystone, Wrong:
        "the server's account may not read revocation events: who is disabled there is noticed late here" =>
        "give it the role `service`, and make a new application credential with it";
    KEYSTONE_MINT = "keystone-mint", Keystone, Wrong:
        "Keystone does not take the tokens that this server makes" =>
        "put our public key into jws_public_key_repository of every node, with `provider = jws`";
    KEYSTONE_DOMAIN = "keystone-domain", Keystone, Wrong:
        "a domain of ours is none of Keystone's" =>
        "an issuer's domain is named by the id of one of Keystone: make another, with its clients";
    KEYSTONE_CLIENT = "keystone-client", Keystone, Wrong:
        "a client's tie to Keystone is dead or too wide" =>
        "tie it to a restricted application credential that lives";
    KEYSTONE_CLIENT_WEAK = "keystone-client-weak", Keystone, Warning:
        "a client's tie to Keystone is wider than its work, or ends soon" =>
        "tie it to an application credential with the roles that its work needs";
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::ALL;

    #[test]
    fn the_reference_lists_each_and_each_is_tested() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let document = fs::read_to_string(root.join("docs/reference/doctor.md")).unwrap();
        let rows: BTreeSet<String> = document
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(str::to_owned)
            .collect();
        let want: BTreeSet<String> = ALL
            .iter()
            .map(|check| {
                format!(
                    "| `{}` | {} | {} | {} | {} |",
                    check.id,
                    check.area.as_str(),
                    check.severity.as_str(),
                    check.problem,
                    check.action
                )
            })
            .collect();
        let missing: Vec<&String> = want.difference(&rows).collect();
        assert!(
            missing.is_empty(),
            "add to docs/reference/doctor.md:\n{missing:#?}"
        );
        let gone: Vec<&String> = rows.difference(&want).collect();
        assert!(gone.is_empty(), "no such check any more:\n{gone:#?}");
        assert_eq!(want.len(), ALL.len(), "an id twice");
        let folder = root.join("crates/interop/tests/doctor");
        let sources: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        for check in ALL {
            let named = format!("\"{}\"", check.id);
            let tested = sources.iter().any(|source| source.contains(&named));
            assert!(tested, "{} is made by no test", check.id);
        }
    }
}

//! Ours beside the two Python plugins that are called `v3websso`: the same requests to each.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::world::{Started, World};

/// How long a plugin waits that is going to get nothing.
const SHORT: u32 = 3;

/// One of the plugins, waiting for the form.
struct Plugin {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    /// Whether its port was open when it opened the browser.
    was_open: bool,
}

impl Plugin {
    fn start(world: &World, name: &str, keystone: &str, timeout: u32) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let parameters = json!({
            "plugin": name, "port": world.websso_port, "keystone": keystone, "timeout": timeout,
        });
        let mut child = Command::new(here.join("../../target/interop-python/bin/python"))
            .args(["-W", "ignore"])
            .arg(here.join("clients/python/websso_plugin.py"))
            .arg(parameters.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let first: Value = serde_json::from_str(&line).unwrap();
        Self {
            child,
            out,
            was_open: first["open"].as_bool().unwrap(),
        }
    }

    fn end(mut self) -> Value {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap();
        serde_json::from_str(rest.lines().last().unwrap()).unwrap()
    }
}

/// Ours, waiting for the form; nobody opens a browser.
fn ours(world: &World, user: &str) -> Started {
    let port = world.websso_port.to_string();
    let mut command = world.sealstone(
        &["login", "--no-open", "--no-cache", "--port", &port],
        &world.by_websso(user),
    );
    let mut started = World::started(&mut command);
    started.says("/websso?origin=");
    started
}

/// A request to the port; 0 when nobody answers. The older plugin opens its port a moment after the browser.
fn status(world: &World, request: &str) -> u16 {
    for _look in 0..200 {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", world.websso_port)) else {
            std::thread::park_timeout(Duration::from_millis(25));
            continue;
        };
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let _gone = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        let _reset = stream.read_to_string(&mut answer);
        return answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
    }
    0
}

/// Keystone's form as a browser posts it, but for these headers.
fn form(world: &World, token: &str, headers: &[(&str, &str)]) -> String {
    let port = world.websso_port;
    let mut all = vec![
        ("Host", format!("localhost:{port}")),
        ("Origin", "null".to_owned()),
        ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
        ("Sec-Fetch-Site", "cross-site".to_owned()),
        ("Sec-Fetch-Mode", "navigate".to_owned()),
        ("Sec-Fetch-Dest", "document".to_owned()),
    ];
    for (name, value) in headers {
        all.retain(|(own, _)| own != name);
        all.push((name, (*value).to_owned()));
    }
    let headers: String = all
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let body = format!("token={token}");
    let length = body.len();
    format!(
        "POST /auth/websso/ HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A token that Keystone knows: of the user of the seed who has a password alone.
fn own_token(world: &World) -> (String, String) {
    let token = world.lab.admin_token();
    let user = world.lab.validated(&token).unwrap()["user"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    world.secret(&token);
    (token, user)
}

pub(crate) fn r03_the_port_is_open_before_the_browser(world: &World) {
    let keystone = world.apache.url().to_owned();
    for (name, want) in [("built-in", true), ("keystoneauth-websso", false)] {
        let plugin = Plugin::start(world, name, &keystone, SHORT);
        assert_eq!(plugin.was_open, want, "{name}");
        status(world, &form(world, "t", &[]));
        plugin.end();
    }
    // Ours says the address when the port is open: what comes at once is not lost.
    let started = ours(world, "nobody");
    assert!(TcpStream::connect(("127.0.0.1", world.websso_port)).is_ok());
    started.kill();
}

/// A favicon, a guess, a name that leads here: the older plugin serves one request, whatever it is.
pub(crate) fn r04_r05_requests_of_others_do_not_end_the_login(world: &World) {
    let keystone = world.apache.url().to_owned();
    let favicon = "GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let evil = form(world, "posted-token", &[("Host", "evil.example")]);

    let older = Plugin::start(world, "keystoneauth-websso", &keystone, SHORT);
    status(world, favicon);
    assert!(
        older.end()["error"].as_str().unwrap().contains("MissingToken"),
        "a favicon ended the login"
    );
    let built_in = Plugin::start(world, "built-in", &keystone, 30);
    assert_eq!(status(world, favicon), 404);
    // It does not look at the host.
    assert_eq!(status(world, &evil), 200);
    assert_eq!(built_in.end()["token"], "posted-token");

    let (token, user) = own_token(world);
    let mut started = ours(world, &user);
    assert_eq!(status(world, favicon), 421);
    let own_host = favicon.replace("localhost", &format!("localhost:{}", world.websso_port));
    assert_eq!(status(world, &own_host), 404);
    assert_eq!(status(world, &evil), 421);
    started.says("another host");
    assert_eq!(status(world, &form(world, &token, &[])), 200);
    ended_as(world, started, &user);
}

pub(crate) fn r08_forms_of_others_are_not_taken(world: &World) {
    let keystone = world.apache.url().to_owned();
    let evil: [&[(&str, &str)]; 4] = [
        &[("Origin", "https://evil.example")],
        &[("Sec-Fetch-Mode", "cors")],
        &[("Sec-Fetch-Dest", "iframe")],
        &[("Sec-Fetch-Site", "none")],
    ];
    for headers in evil {
        let older = Plugin::start(world, "keystoneauth-websso", &keystone, SHORT);
        assert_eq!(
            status(world, &form(world, "evil-token", headers)),
            200,
            "{headers:?}"
        );
        assert_eq!(
            older.end()["token"],
            "evil-token",
            "the older plugin takes it: {headers:?}"
        );
    }
    let built_in = Plugin::start(world, "built-in", &keystone, 30);
    for headers in evil {
        assert_eq!(
            status(world, &form(world, "evil-token", headers)),
            400,
            "{headers:?}"
        );
    }
    assert_eq!(status(world, &form(world, "right-token", &[])), 200);
    assert_eq!(built_in.end()["token"], "right-token");

    let (token, user) = own_token(world);
    let started = ours(world, &user);
    for headers in evil {
        assert_eq!(status(world, &form(world, &token, headers)), 403, "{headers:?}");
    }
    assert_eq!(status(world, &form(world, &token, &[])), 200);
    ended_as(world, started, &user);
}

/// A page that posts a token of its own maker's: both plugins take whatever Keystone knows, and more. Ours asks Keystone
/// before it believes, and knows who was meant.
pub(crate) fn r08_another_users_token_is_not_taken(world: &World) {
    let keystone = world.apache.url().to_owned();
    let (token, user) = own_token(world);
    for name in ["built-in", "keystoneauth-websso"] {
        for posted in [token.as_str(), "gAAAAA-no-token-at-all"] {
            let plugin = Plugin::start(world, name, &keystone, 30);
            assert_eq!(status(world, &form(world, posted, &[])), 200, "{name}");
            assert_eq!(plugin.end()["token"], posted, "{name}");
        }
    }
    let mut started = ours(world, "demo-mfa");
    assert_eq!(status(world, &form(world, "gAAAAA-no-token-at-all", &[])), 400);
    started.says("none of this cloud");
    assert_eq!(status(world, &form(world, &token, &[])), 403);
    started.says("another user");
    started.kill();
    let started = ours(world, &user);
    assert_eq!(status(world, &form(world, &token, &[])), 200);
    ended_as(world, started, &user);
}

/// What the older plugins keep is written before it is protected, where others may look; it is read once, if Keystone
/// still takes it and it is the login that is meant, and never written.
pub(crate) fn r10_what_older_plugins_kept_is_taken_over(world: &World) {
    let caches = world.home().join(".cache");
    let leave = |plugin: &str, token: &str| -> Value {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let parameters = json!({
            "plugin": plugin, "caches": caches, "auth_url": world.auth_url(), "token": token, "client_id": "cli",
            "scope": "openid profile offline_access openstack:api",
        });
        let mut python = Command::new(here.join("../../target/interop-python/bin/python"));
        let script = here.join("clients/python/kept_by_plugins.py");
        let left = world.done(
            python
                .args(["-W", "ignore"])
                .arg(script)
                .arg(parameters.to_string()),
        );
        serde_json::from_str(&left).unwrap()
    };
    let (lab, seed) = (&world.lab, world.lab.seed());
    // As federation gives it: without a scope.
    let carol = seed.user("carol");
    let user = "carol".to_owned();
    let password = json!({"user": {"id": carol.id, "password": carol.password}});
    let identity = json!({"methods": ["password"], "password": password});
    let token = lab.login(&json!({"auth": {"identity": identity, "scope": "unscoped"}}));
    world.secret(&token);
    let (project, role) = (seed.project("lab"), seed.role("reader"));
    lab.change(
        "PUT",
        &format!("/projects/{project}/users/{}/roles/{role}", carol.id),
        None,
    );

    let ways = [
        (
            "keystoneauth-websso",
            world.by_websso(&user),
            world.by_websso("demo-mfa"),
        ),
        ("keystoneauth-oidc-browser", world.by_issuer(), {
            let mut other = world.by_issuer();
            other.extend(["--username", "demo-mfa"].map(str::to_owned));
            other
        }),
    ];
    for (plugin, options, of_another) in ways {
        let left = leave(plugin, &token);
        if plugin == "keystoneauth-websso" {
            assert_eq!(
                (&left["before"], &left["folder"]),
                (&json!("0o644"), &json!("0o755")),
                "it falls"
            );
        }
        let file = left["file"].as_str().unwrap();
        let before = std::fs::read(file).unwrap();
        // Nobody is at a terminal: without what was left, there is no token.
        let mut another = world.sealstone(&["token"], &of_another);
        let (done, out, said) = World::started(&mut another).end();
        assert!(
            !done && out.is_empty() && !said.contains("taking over"),
            "{plugin}: {said}"
        );

        let mut first = world.sealstone(&["token", "--format", "json"], &options);
        let (done, out, said) = World::started(&mut first).end();
        assert!(done, "{plugin}: {said}");
        assert!(
            said.contains(&format!("taking over the login of {user} from {plugin}")),
            "{said}"
        );
        world.also_said(&said);
        let scoped: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(scoped["scope"]["project"]["id"], *project, "{scoped}");
        world.secret(scoped["keystone_token"].as_str().unwrap());
        let (done, again, said) =
            World::started(&mut world.sealstone(&["token", "--format", "json"], &options)).end();
        assert!(done && !said.contains("taking over"), "once: {said}");
        assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), scoped);
        assert_eq!(
            std::fs::read(file).unwrap(),
            before,
            "{plugin}'s file stays as it is"
        );
        std::fs::remove_file(file).unwrap();
    }
}

/// It is told who is logged in; what Keystone then says of the scope is another matter.
fn ended_as(world: &World, started: Started, user: &str) {
    let (_done, _out, said) = started.end();
    assert!(said.contains(&format!("You are logged in as {user}.")), "{said}");
    world.also_said(&said);
}

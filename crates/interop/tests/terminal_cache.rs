//! `sealstone login` and what comes after it, against a running server: one login for all, and nothing half done.

#[path = "terminal_cache/terminal.rs"]
mod terminal;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::Command;

use sealstone_interop::{DevServer, faketime};
use serde_json::Value;
use terminal::{Running, Terminal, come_back, enter, program, sign_in};

/// A server, somebody at a terminal, and how its demo is named.
struct World {
    server: DevServer,
    dev: String,
    terminal: Terminal,
}

fn world() -> World {
    let server = DevServer::start();
    World {
        dev: server.data().display().to_string(),
        server,
        terminal: Terminal::new(),
    }
}

impl World {
    fn with<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let mut all = arguments.to_vec();
        let more = all.split_off(1);
        all.extend(["--dev", &self.dev]);
        all.extend(more);
        all
    }

    fn run(&self, arguments: &[&str]) -> terminal::Done {
        self.terminal.run(&self.with(arguments))
    }

    fn log_in(&self) -> terminal::Done {
        self.terminal
            .log_in(&self.server, &["--dev", &self.dev, "--output", "json"])
    }
}

#[test]
fn one_login_by_a_browser_and_the_rest_is_silent() {
    let world = world();
    world.run(&["whoami"]).refused(3, "run `sealstone login --dev ");
    world.run(&["token"]).refused(3, "nobody is logged in");
    let told: Value = serde_json::from_str(&world.log_in().ok()).unwrap();
    assert_eq!(told["user"], "demo");
    assert_eq!(told["renewed_silently"], true);
    let end = told["access_token_ends"].as_str().unwrap();
    assert!(end.len() == 20 && end.ends_with('Z'), "{end}");
    assert_eq!(world.terminal.opened().len(), 1);
    let again = world.run(&["login", "--browser"]);
    assert!(again.err.contains("logged in already; --again"), "{}", again.err);
    again.ok();
    assert_eq!(world.terminal.opened().len(), 1);

    let token = world.run(&["token"]).ok();
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(world.run(&["token"]).ok(), token);
    let header = world.run(&["token", "--format", "header"]).ok();
    assert_eq!(header, format!("Authorization: Bearer {token}"));
    let id = world.run(&["token", "--kind", "id"]).ok();
    assert_ne!(id, token);
    let env = world.run(&["env"]).ok();
    assert_eq!(env, format!("export SEALSTONE_ACCESS_TOKEN='{}'\n", token.trim()));
    let shown = world.run(&["exec", "--", "sh", "-c", "echo $SEALSTONE_ACCESS_TOKEN; exit 7"]);
    assert_eq!((shown.status, shown.out.as_str()), (Some(7), token.as_str()));
    assert!(world.run(&["whoami"]).ok().contains("demo"));

    world.terminal.age();
    let next = world.run(&["token"]).ok();
    assert_ne!(next, token, "refreshed");
    assert_ne!(
        world.run(&["token", "--renew"]).ok(),
        next,
        "refreshed because it was asked for"
    );
    assert_eq!(world.terminal.opened().len(), 1, "no browser since");

    let all = world.terminal.run(&["whoami", "--all", "--output", "json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&all).unwrap()[0]["user"], "demo");
    let out = world.run(&["logout"]);
    assert!(
        out.err.contains("1 revoked at the server, 1 removed here"),
        "{}",
        out.err
    );
    out.ok();
    assert!(world.terminal.files().is_empty());
    world.run(&["whoami"]).refused(3, "nobody is logged in");
    world.run(&["logout"]).refused(3, "nobody is logged in");
}

#[test]
fn without_a_display_there_is_a_code() {
    let world = world();
    // Nothing is set that tells of a display.
    let mut running = Running::of(
        world
            .terminal
            .command(&world.with(&["login", "--output", "json"])),
    );
    let why = running.line(|line| line.contains("on any device"));
    assert!(
        ["no display", "container"].iter().any(|text| why.contains(text)),
        "{why}"
    );
    let address = running
        .line(|line| line.contains("address"))
        .replace("address", "");
    let code = running.line(|line| line.contains("code  ")).replace("code", "");
    running.line(|line| line.contains("waiting until the code is entered"));
    enter(
        &world.server,
        &format!("{}?user_code={}", address.trim(), code.trim()),
    );
    let told: Value = serde_json::from_str(&running.end().ok()).unwrap();
    assert_eq!(told["user"], "demo");
    assert!(world.terminal.opened().is_empty());
    world.run(&["token"]).ok();

    let mut ssh = world.terminal.command(&world.with(&["login", "--again"]));
    ssh.env("DISPLAY", ":0")
        .env("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
    let mut running = Running::of(ssh);
    running.line(|line| line.contains("over SSH"));
    running.kill();
    let mut desktop = world.terminal.command(&world.with(&["login"]));
    desktop.env("DISPLAY", ":0");
    let mut running = Running::of(desktop);
    let url = running.url();
    come_back(&sign_in(&world.server, &url));
    running.end().ok();
    assert_eq!(world.terminal.opened(), [url]);
}

#[test]
fn twenty_processes_open_one_browser() {
    let world = world();
    let all: Vec<Running> = (0..20)
        .map(|_| world.terminal.start(&world.with(&["token", "--browser"])))
        .collect();
    let mut url = None;
    let mut waiting = Vec::new();
    for mut running in all {
        let line =
            running.line(|line| line.trim_start().starts_with("http") || line.contains("another sealstone"));
        if line.contains("another sealstone") {
            waiting.push(running);
        } else {
            assert!(url.is_none(), "a second browser");
            url = Some((line.trim().to_owned(), running));
        }
    }
    let (url, first) = url.expect("one of them opens the browser");
    assert_eq!(waiting.len(), 19);
    come_back(&sign_in(&world.server, &url));
    let token = first.end().ok();
    for running in waiting {
        assert_eq!(running.end().ok(), token);
    }
    assert_eq!(world.terminal.opened(), [url]);

    // And when it has ended, one of them refreshes it: were there two, the server would end the family.
    world.terminal.age();
    let all: Vec<Running> = (0..20)
        .map(|_| world.terminal.start(&world.with(&["token"])))
        .collect();
    let tokens: Vec<String> = all.into_iter().map(|running| running.end().ok()).collect();
    assert!(tokens.iter().all(|next| *next == tokens[0] && *next != token));
    world.terminal.age();
    world.run(&["token"]).ok();
    assert_eq!(world.terminal.opened().len(), 1);
}

#[test]
fn who_is_killed_half_way_leaves_nothing_and_the_next_takes_over() {
    let world = world();
    let mut first = world.terminal.start(&world.with(&["login", "--browser"]));
    first.url();
    let mut second = world.terminal.start(&world.with(&["token", "--browser"]));
    let holder = second.line(|line| line.contains("another sealstone"));
    assert!(holder.contains(&format!("process {}", first.id())), "{holder}");
    first.kill();
    assert!(world.terminal.files().is_empty());
    let url = second.url();
    come_back(&sign_in(&world.server, &url));
    let token = second.end().ok();
    assert_eq!(world.run(&["token"]).ok(), token);
    assert_eq!(world.terminal.opened().len(), 2);
}

#[test]
fn who_waits_for_a_login_that_fails_opens_no_browser_of_its_own() {
    let world = world();
    let mut first = world
        .terminal
        .start(&world.with(&["login", "--browser", "--timeout", "3s"]));
    first.url();
    let mut second = world.terminal.start(&world.with(&["token", "--browser"]));
    second.line(|line| line.contains("another sealstone"));
    first
        .end()
        .refused(1, "no answer came from the browser within 3 s");
    second.end().refused(1, "another process failed to log in");
    assert_eq!(world.terminal.opened().len(), 1);
    assert!(world.terminal.files().is_empty());
    assert!(world.log_in().status == Some(0), "the next one is not held back");
}

#[test]
fn a_port_that_is_taken_is_said_so() {
    let world = world();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = world
        .run(&["login", "--browser", "--port", &port])
        .refused(1, &format!("port {port} is in use by another program"));
    assert!(said.contains("--port"), "{said}");
    assert!(
        world.terminal.opened().is_empty(),
        "the port comes before the browser"
    );
}

#[test]
fn a_home_that_cannot_be_written_is_found_out_before_anybody_logs_in() {
    let world = world();
    let mut command = world.terminal.command(&world.with(&["login", "--browser"]));
    command.env("HOME", "/proc/self");
    let said = Running::of(command).end().refused(1, "cannot be written");
    assert!(said.contains("SEALSTONE_CACHE_DIR"), "{said}");
    let mut command = world.terminal.command(&world.with(&["login", "--browser"]));
    command.env_remove("HOME");
    Running::of(command).end().refused(1, "HOME is not set");
    assert!(world.terminal.opened().is_empty());
    // Without a cache it works, and says what that means.
    let mut command = world
        .terminal
        .command(&world.with(&["token", "--browser", "--no-cache"]));
    command.env("HOME", "/proc/self").env("BROWSER", "/bin/true");
    let mut running = Running::of(command);
    come_back(&sign_in(&world.server, &running.url()));
    running.end().ok();
}

/// No file may grow: what a full disk does.
fn without_room(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.terminal.bare("/bin/sh".as_ref());
    command
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 0; exec \"$@\"")
        .arg("sh")
        .arg(program())
        .args(arguments);
    command
}

#[test]
fn a_full_disk_loses_nothing_and_is_said_so() {
    let world = world();
    let login = world.with(&["login", "--browser"]);
    let said = Running::of(without_room(&world, &login))
        .end()
        .refused(1, "no room is left");
    assert!(said.contains("SEALSTONE_CACHE_DIR"), "{said}");
    assert!(world.terminal.opened().is_empty() && world.terminal.files().is_empty());
    world.log_in().ok();
    let kept = fs::read(&world.terminal.files()[0]).unwrap();
    let token = world.with(&["token"]);
    Running::of(without_room(&world, &token)).end().ok();
    let renew = world.with(&["token", "--renew"]);
    Running::of(without_room(&world, &renew))
        .end()
        .refused(1, "no room is left");
    assert_eq!(
        fs::read(&world.terminal.files()[0]).unwrap(),
        kept,
        "what was kept stays"
    );
    assert_eq!(world.terminal.files().len(), 1);
    world.run(&["token", "--renew"]).ok();
}

#[test]
fn a_login_that_was_ended_elsewhere_is_said_so() {
    let world = world();
    world.log_in().ok();
    // Another machine of the same person, with the same login.
    let other = Terminal::new();
    fs::create_dir_all(other.home().join(".cache/sealstone")).unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(world.terminal.logins())
        .arg(other.logins())
        .status();
    assert!(copied.unwrap().success());
    other.run(&world.with(&["logout"])).ok();
    world.terminal.age();
    let said = world.run(&["token"]).refused(3, "has ended, or was revoked");
    assert!(said.contains("run `sealstone login --dev "), "{said}");
    // With a person there, it is one login more and no error.
    let mut running = world.terminal.start(&world.with(&["token", "--browser"]));
    come_back(&sign_in(&world.server, &running.url()));
    running.end().ok();
}

/// Both clocks go on: a login that was granted without `offline_access` ends with its session.
#[test]
fn a_login_that_has_expired_is_said_so() {
    let mut world = world();
    world.log_in().ok();
    let file = world.terminal.files().remove(0);
    let kept = fs::read(&file).unwrap();
    world.server.restart_at("+1h");
    world.at("+1h", &["token"]).end().ok();
    assert_ne!(fs::read(&file).unwrap(), kept, "used in time, it goes on");
    let kept = fs::read(&file).unwrap();
    world.server.restart_at("+20d");
    let said = world
        .at("+20d", &["token"])
        .end()
        .refused(3, "the login that was kept has ended, or was revoked");
    assert!(said.contains("run `sealstone login --dev "), "{said}");
    assert_eq!(fs::read(&file).unwrap(), kept);
    assert_eq!(world.terminal.files().len(), 1);
    assert_eq!(world.terminal.opened().len(), 1);
}

/// The browser closed, or never there: the program cannot see a window, says what it can see, and waits no longer than it
/// said. Whoever does not want to wait gives up.
#[test]
fn a_browser_that_is_closed_leaves_nothing() {
    let world = world();
    for (browser, limit, said) in [
        (
            "/bin/false",
            "10",
            "/bin/false opened no browser: open the address above yourself",
        ),
        // It opened, and was closed.
        ("/bin/true", "2", "2 s at most"),
    ] {
        let limit_in_seconds = format!("{limit}s");
        let mut command =
            world
                .terminal
                .command(&world.with(&["login", "--browser", "--timeout", &limit_in_seconds]));
        command.env("BROWSER", browser);
        let told = Running::of(command).end().refused(1, said);
        let end = format!(
            "no answer came from the browser within {limit} s: log in again; if the browser was closed, the address \
             above is good no more"
        );
        assert!(told.contains(&end), "{told}");
        assert!(world.terminal.files().is_empty());
    }
    // Half of the way: somebody signed in, and the page never came back.
    let mut running = world.terminal.start(&world.with(&["login", "--browser"]));
    let back = sign_in(&world.server, &running.url());
    let number = running.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &number])
            .status()
            .unwrap()
            .success()
    );
    let done = running.end();
    done.refused(130, "given up");
    assert!(world.terminal.files().is_empty());
    let host = back.strip_prefix("http://").unwrap().split('/').next().unwrap();
    assert!(std::net::TcpStream::connect(host).is_err(), "the port is closed");
    world.log_in().ok();
}

#[test]
fn an_issuer_that_is_another_one_is_refused() {
    let world = world();
    let issuer = world.server.issuer();
    let ca = world.server.ca_path().display().to_string();
    for (issuer, said) in [
        (format!("{issuer}x"), "publishes no metadata"),
        (format!("{issuer}/"), "those of"),
        (issuer.replace("127.0.0.1", "localhost"), ""),
        ("https://127.0.0.1:1".to_owned(), "nothing listens there"),
    ] {
        let done = world.terminal.run(&[
            "login",
            "--browser",
            "--issuer",
            &issuer,
            "--client-id",
            "cli",
            "--ca",
            &ca,
            "--timeout",
            "1s",
        ]);
        assert_eq!(done.status, Some(1), "{issuer}: {}", done.err);
        assert!(done.err.contains(said), "{issuer}: {}", done.err);
    }
    let plain = issuer.replace("https", "http");
    let wrong = ["login", "--issuer", &plain, "--client-id", "cli", "--ca", &ca];
    world.terminal.run(&wrong).refused(2, "is no issuer");
    let wrong = [
        "login",
        "--browser",
        "--issuer",
        issuer,
        "--client-id",
        "nobody",
        "--ca",
        &ca,
        "--device",
    ];
    world.terminal.run(&wrong).refused(2, "--browser");
    let wrong = [
        "login",
        "--issuer",
        issuer,
        "--client-id",
        "nobody",
        "--ca",
        &ca,
        "--device",
    ];
    world.terminal.run(&wrong).refused(1, "check --client-id");
    assert!(world.terminal.files().is_empty());
}

#[test]
fn r10_what_is_kept_is_its_owners_alone_wherever_it_lies() {
    let world = world();
    world.log_in().ok();
    let files = world.terminal.files();
    assert_eq!(files.len(), 1);
    assert_eq!(fs::metadata(&files[0]).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(
        fs::metadata(world.terminal.logins()).unwrap().mode() & 0o7777,
        0o700
    );

    // Somebody else's link, and a file that others can read.
    let away = world.terminal.home().join("away");
    fs::rename(&files[0], &away).unwrap();
    symlink(&away, &files[0]).unwrap();
    world.run(&["token"]).refused(1, "symbolic link");
    world.run(&["exec", "--", "true"]).refused(1, "symbolic link");
    fs::remove_file(&files[0]).unwrap();
    fs::rename(&away, &files[0]).unwrap();
    Command::new("chmod").arg("0644").arg(&files[0]).status().unwrap();
    world.run(&["token"]).refused(1, "others have access to it");
    Command::new("chmod").arg("0600").arg(&files[0]).status().unwrap();
    Command::new("chmod")
        .arg("0755")
        .arg(world.terminal.logins())
        .status()
        .unwrap();
    world.run(&["token"]).refused(1, "chmod go=");
}

#[test]
fn r10_from_the_first_octet() {
    let world = world();
    let log = world.terminal.home().join("calls");
    // With a umask that would let everybody in, each file is made with its final mode, under a name that did not exist.
    let mut command = world.terminal.bare("/bin/sh".as_ref());
    let script = "umask 0; exec \"$@\"";
    command
        .arg("-c")
        .arg(script)
        .arg("sh")
        .arg(program())
        .args(world.with(&["login", "--browser"]));
    let mut running = Running::of(command);
    let url = running.url();
    for entry in fs::read_dir(world.terminal.logins()).unwrap() {
        let found = entry.unwrap().metadata().unwrap();
        assert_eq!(found.mode() & 0o077, 0);
    }
    come_back(&sign_in(&world.server, &url));
    running.end().ok();
    for path in world.terminal.files() {
        assert_eq!(
            fs::metadata(&path).unwrap().mode() & 0o7777,
            0o600,
            "{}",
            path.display()
        );
    }
    assert!(!log.exists());
}

#[test]
fn r11_no_token_is_on_a_command_line_or_in_a_message() {
    let world = world();
    let mut said = String::new();
    let mut running = world.terminal.start(&world.with(&["login", "--browser"]));
    let url = running.url();
    let line = fs::read(format!("/proc/{}/cmdline", running.id())).unwrap();
    let surroundings = fs::read(format!("/proc/{}/environ", running.id())).unwrap();
    let back = sign_in(&world.server, &url);
    come_back(&back);
    let done = running.end();
    said.push_str(&done.err);
    said.push_str(&done.out);
    let kept: Value = {
        let text = fs::read_to_string(&world.terminal.files()[0]).unwrap();
        serde_json::from_str(text.lines().nth(1).unwrap()).unwrap()
    };
    let secrets: Vec<String> = ["access_token", "refresh_token", "id_token"]
        .iter()
        .map(|name| kept[*name].as_str().unwrap().to_owned())
        .collect();
    for arguments in [
        &["token", "--format", "nonsense"][..],
        &["whoami"],
        &["whoami", "--all"],
        &["token", "--kind", "keystone"],
        &["exec", "--", "/does/not/exist"],
    ] {
        let done = match arguments {
            ["whoami", "--all"] => world.terminal.run(arguments),
            arguments => world.run(arguments),
        };
        said.push_str(&done.err);
        said.push_str(&done.out);
    }
    let script = "tr '\\0' ' ' </proc/self/cmdline; tr '\\0' ' ' </proc/$PPID/cmdline";
    said.push_str(&world.run(&["exec", "--", "sh", "-c", script]).ok());
    said.push_str(&String::from_utf8_lossy(&line));
    said.push_str(&String::from_utf8_lossy(&surroundings));
    said.push_str(&world.terminal.opened().join("\n"));
    said.push_str(&world.run(&["logout"]).err);
    for secret in secrets {
        assert!(!said.contains(&secret), "a token is shown");
    }
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!said.contains(code), "the code is shown");
}

#[test]
fn a_key_of_the_system_encrypts_what_is_kept() {
    let world = world();
    let mut command = world.terminal.command(&world.with(&["login", "--browser"]));
    command.env_remove("SEALSTONE_KEYRING");
    let mut running = Running::of(command);
    come_back(&sign_in(&world.server, &running.url()));
    let done = running.end();
    let is_sealed = done.err.contains("encrypted by a key in this system's keyring");
    assert!(is_sealed || done.err.contains("for you alone"), "{}", done.err);
    done.ok();
    let text = fs::read_to_string(&world.terminal.files()[0]).unwrap();
    assert_eq!(
        text.contains("access_token"),
        !is_sealed,
        "this machine's keyring: {is_sealed}"
    );
    let mut command = world.terminal.command(&world.with(&["token"]));
    command.env_remove("SEALSTONE_KEYRING");
    Running::of(command).end().ok();
    if is_sealed {
        world.run(&["token"]).refused(3, "nobody is logged in");
    }
}

impl World {
    /// On a machine whose clock is wrong by so much.
    fn at(&self, offset: &str, arguments: &[&str]) -> Running {
        let mut command = self.terminal.command(&self.with(arguments));
        faketime(&mut command, offset);
        Running::of(command)
    }
}

#[test]
fn a_wrong_clock_is_named_and_nothing_is_kept_of_it() {
    let mut world = world();
    let login = ["login", "--browser"];
    // The login is not believed; before it somebody is told why that will be.
    for (server, offset, said) in [
        (
            "+0",
            "+2h",
            "this machine's clock is 2 h ahead of the server's: set it",
        ),
        // The demo's certificate begins with it: for somebody who is behind, its clock goes ahead.
        (
            "+185s",
            "+0",
            "this machine's clock is 3 min behind the server's: set it",
        ),
    ] {
        world.server.restart_at(server);
        let mut running = world.at(offset, &login);
        running.line(|line| line.starts_with(&format!("warning: {said}")));
        come_back(&sign_in(&world.server, &running.url()));
        let told = running.end().refused(1, "ID token is not believed");
        assert!(told.trim_end().ends_with(said), "{told}");
        assert!(world.terminal.files().is_empty(), "{offset}");
    }
    world.server.restart();
    // So far that the server's certificate is not good either: nobody is sent to a browser.
    let opened = world.terminal.opened().len();
    for (offset, said) in [
        ("+3000d", "has ended by this machine's clock: set the clock"),
        ("-1d", "begins only later by this machine's clock: set the clock"),
    ] {
        world.at(offset, &login).end().refused(1, said);
        assert!(world.terminal.files().is_empty(), "{offset}");
    }
    assert_eq!(world.terminal.opened().len(), opened);
    world.run(&["token"]).refused(3, "nobody is logged in");
}

/// A refresh token that is used for an answer which is not believed would be lost, and with it the login.
#[test]
fn a_wrong_clock_does_not_end_the_login_that_is_kept() {
    let mut world = world();
    world.log_in().ok();
    let file = world.terminal.files().remove(0);
    let kept = fs::read(&file).unwrap();
    for (server, offset, arguments, said) in [
        ("+0", "+2h", &["token"][..], "2 h ahead of the server's: set it"),
        (
            "+185s",
            "+0",
            &["token", "--renew"],
            "3 min behind the server's: set it",
        ),
    ] {
        world.server.restart_at(server);
        let told = world.at(offset, arguments).end().refused(1, said);
        assert!(told.contains("the login stays"), "{told}");
        assert_eq!(fs::read(&file).unwrap(), kept, "{offset}");
        assert_eq!(world.terminal.files().len(), 1, "{offset}");
    }
    // With a clock that is right again nobody has to log in.
    world.server.restart();
    world.terminal.age();
    world.run(&["token"]).ok();
    assert_eq!(world.terminal.opened().len(), 1);
}

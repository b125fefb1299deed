//! What is kept, encrypted by a key in the desktop's keyring: the program with the feature `desktop-keyring`, against a real
//! Secret Service (GNOME Keyring, on a bus of its own). `cargo xtask test --only desktop-keyring` builds and runs it.

#[path = "terminal_cache/terminal.rs"]
#[expect(dead_code, reason = "this program does without a part of it")]
mod terminal;

use std::fs;
use std::path::Path;
use std::process::Command;

use sealstone_interop::DevServer;
use terminal::{Done, Running, Terminal, come_back, program, sign_in};

/// Somebody's desktop session: it begins and ends with the program that is run in it.
struct Desktop<'a> {
    server: &'a DevServer,
    terminal: &'a Terminal,
    /// What the person's password is, if they type it.
    opened_by: Option<&'a str>,
}

impl Desktop<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        for program in ["/usr/bin/dbus-run-session", "/usr/bin/gnome-keyring-daemon"] {
            assert!(
                Path::new(program).exists(),
                "{program} is missing: cargo xtask setup"
            );
        }
        let keyring = match self.opened_by {
            Some(_) => "printf %s \"$OPENED_BY\" | gnome-keyring-daemon --unlock --components=secrets",
            None => "gnome-keyring-daemon --start --components=secrets",
        };
        let script = format!("{keyring} >/dev/null 2>&1; unset OPENED_BY; exec \"$@\"");
        let mut command = self.terminal.bare("/usr/bin/dbus-run-session".as_ref());
        command
            .args(["--", "/bin/sh", "-c", &script, "sh"])
            .arg(program())
            .args(arguments)
            .arg("--dev")
            .arg(self.server.data())
            .env("OPENED_BY", self.opened_by.unwrap_or_default())
            .env("SEALSTONE_KEYRING", "desktop");
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        Running::of(self.command(arguments)).end()
    }
}

#[test]
fn a_key_of_the_desktop_outlasts_its_session() {
    let (server, terminal) = (DevServer::start(), Terminal::new());
    let desktop = |opened_by| Desktop {
        server: &server,
        terminal: &terminal,
        opened_by,
    };
    let mut running = Running::of(desktop(Some("the password")).command(&["login", "--browser"]));
    come_back(&sign_in(&server, &running.url()));
    let done = running.end();
    let said = done.err.clone();
    done.ok();
    assert!(
        said.contains("encrypted by a key in this system's keyring"),
        "{said}"
    );
    let files = terminal.files();
    let text = fs::read_to_string(&files[0]).unwrap();
    assert!(!text.contains("access_token"), "{text}");

    // Another session, as after a restart: the same key, and nobody is asked.
    let token = desktop(Some("the password")).run(&["token"]).ok();
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(desktop(Some("the password")).run(&["token"]).ok(), token);

    // The keyring stays closed, and nobody is there to open it; or there is none: then what is kept is of no use.
    desktop(None).run(&["token"]).refused(3, "nobody is logged in");
    let dev = server.data().display().to_string();
    let mut without = terminal.command(&["token", "--dev", &dev]);
    without.env("SEALSTONE_KEYRING", "desktop");
    Running::of(without).end().refused(3, "nobody is logged in");
    assert_eq!(terminal.files(), files, "what is kept stays");
    assert_eq!(desktop(Some("the password")).run(&["token"]).ok(), token);
    assert_eq!(terminal.opened().len(), 1);
}

/// No keyring answers: the login works, is for its owner's eyes alone, and says so.
#[test]
fn without_a_desktop_the_login_is_kept_as_ever() {
    let (server, terminal) = (DevServer::start(), Terminal::new());
    let dev = server.data().display().to_string();
    let mut command = terminal.command(&["login", "--browser", "--dev", &dev]);
    command.env("SEALSTONE_KEYRING", "desktop");
    let mut running = Running::of(command);
    come_back(&sign_in(&server, &running.url()));
    let done = running.end();
    assert!(done.err.contains("for you alone"), "{}", done.err);
    done.ok();
    let mut command = terminal.command(&["token", "--dev", &dev]);
    command.env("SEALSTONE_KEYRING", "desktop");
    Running::of(command).end().ok();
}

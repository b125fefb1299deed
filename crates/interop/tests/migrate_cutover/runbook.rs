//! `docs/runbooks/fernet-to-jws.md`, run as it is written before the three Keystones of a `KeystoneLab` behind a real
//! HAProxy.

use crate::pool::{NODES, Pool};
use crate::script::{self, Document, Surroundings};

/// What a token lives, and how much longer it may be shown: short, since the runbook waits for its end.
const LIFE_S: u32 = 30;
const WINDOW_S: u32 = 5;

#[test]
fn runbook_fernet_to_jws() {
    let pool = Pool::called(["a", "b", "c"], LIFE_S, WINDOW_S);
    pool.bring_keys();
    let mut replaced: Vec<(&'static str, String)> = vec![
        (
            "https://keystone.example.org:5000/v3",
            format!("http://{}/v3", pool.front()),
        ),
        ("/run/haproxy/admin.sock", pool.socket().display().to_string()),
        (
            "ssh root@{node} systemctl restart keystone",
            format!("{} {{node}}", pool.restart_script().display()),
        ),
        ("--yes", "--yes --settle 1s".to_owned()),
    ];
    let places = ["a=ssh:root@a", "b=ssh:root@b", "c=ssh:root@c"]
        .into_iter()
        .zip(["a", "b", "c"]);
    for (text, name) in places {
        let file = pool.configuration(name);
        replaced.push((text, format!("{name}=/ --config-file {name}={}", file.display())));
    }
    let urls = [
        "https://a.example.org:5000/v3",
        "https://b.example.org:5000/v3",
        "https://c.example.org:5000/v3",
    ];
    for (text, url) in urls.into_iter().zip(pool.lab.nodes()) {
        replaced.push((text, url.to_owned()));
    }
    assert_eq!(NODES.len(), urls.len());
    let prelude = format!(
        "cp {} logins.json\nexport LATE={}\n",
        pool.path("few.json"),
        LIFE_S + WINDOW_S + 1
    );
    let document = Document::read("runbooks/fernet-to-jws.md");
    assert!(!document.is_empty());
    script::run(&[document], &Surroundings { replaced, prelude });
}

use super::*;

const STATES: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n\
    3 keystone 1 a 127.0.0.1 2 0 1\n3 keystone 2 b 127.0.0.1 2 8 1\n3 keystone 3 c 127.0.0.1 0 1 1\n\n";
const STAT: &str = "# pxname,svname,scur,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,\n";

#[test]
fn states_of_servers_are_read() {
    let servers = parse_servers(STATES).unwrap();
    let found: Vec<(&str, u64, u64)> = servers
        .iter()
        .map(|server| (server.name.as_str(), server.op_state, server.admin_state))
        .collect();
    assert_eq!(found, [("a", 2, 0), ("b", 2, 8), ("c", 0, 1)]);
    for (name, answer) in [
        ("another version", STATES.replacen("1\n", "2\n", 1)),
        ("no titles", "1\n3 keystone 1 a 127.0.0.1 2 0 1\n".to_owned()),
        ("a column less", STATES.replace("srv_admin_state", "srv_state")),
        ("a word for a number", STATES.replace(" 2 8 ", " up drain ")),
        ("a short line", STATES.replace(" 2 8 1\n", " 2 8\n")),
        ("a refusal", "No such backend.\n".to_owned()),
        ("nothing", String::new()),
    ] {
        assert!(parse_servers(&answer).is_err(), "{name}");
    }
}

#[test]
fn traffic_and_sessions_are_read() {
    let answer = format!("{STAT}keystone,BACKEND,4,0,90,1,7,2,,\n\n");
    let want = Traffic {
        answers: 100,
        refused: 7,
        failed: 2,
    };
    assert_eq!(parse_traffic(&answer), Ok(want));
    let servers = format!("{STAT}keystone,a,0,,,,,,,\nkeystone,b,3,,,,,,,\n");
    let sessions = parse_sessions(&servers).unwrap();
    assert_eq!((sessions["a"], sessions["b"]), (0, 3));
    for (name, answer) in [
        ("two lines", format!("{answer}keystone,BACKEND,4,0,90,1,7,2,,\n")),
        ("none", STAT.to_owned()),
        ("a column less", answer.replace("hrsp_5xx", "hrsp")),
        ("a negative number", answer.replace(",90,", ",-90,")),
        ("quotes", answer.replace("keystone", "\"key,stone\"")),
        ("short", format!("{STAT}keystone,BACKEND\n")),
        ("no titles", "keystone,BACKEND,4".to_owned()),
    ] {
        assert!(parse_traffic(&answer).is_err(), "{name}");
    }
    assert!(parse_sessions(&servers.replace(",b,", ",a,")).is_err());
}

#[test]
fn sockets_are_paths_or_addresses() {
    for good in ["/run/haproxy/admin.sock", "tcp:127.0.0.1:9999", "tcp:[::1]:9999"] {
        assert!(HaProxySocket::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "admin.sock",
        "tcp:",
        "tcp:host",
        "tcp:host:0",
        "tcp:host:http",
        "127.0.0.1:9999",
    ] {
        assert!(HaProxySocket::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_socket_that_does_not_work_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let said = |socket: &HaProxySocket| socket.say("show info").unwrap_err().to_string();
    let path = folder.path().join("admin.sock");
    let socket = HaProxySocket::Unix(path.clone());
    let missing = said(&socket);
    assert!(
        missing.contains("HAProxy does not run on this machine, or"),
        "{missing}"
    );
    // What an HAProxy that ended leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let left = said(&socket);
    assert!(
        left.contains("nobody listens there: HAProxy does not run"),
        "{left}"
    );
    let denied = super::super::remedy(&std::io::ErrorKind::PermissionDenied.into());
    assert!(
        denied.contains("run this as root or as an account of the group"),
        "{denied}"
    );
}

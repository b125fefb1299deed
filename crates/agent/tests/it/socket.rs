//! The agent's own Unix socket, as a program sees it.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, sync::Arc, time::Duration};

use sealstone_agent::{Agent, FileError, Keeper, PrivateKeys, StateFolder, TokenFault, UnixSocket};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::oneshot,
};

use crate::machine::{Ca, DAY, Machine, Tokens};

struct World {
    folder: tempfile::TempDir,
    tokens: Arc<Tokens>,
    stop: Option<oneshot::Sender<()>>,
    agent: Option<tokio::task::JoinHandle<()>>,
}

async fn world(keys: PrivateKeys) -> World {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::new(900);
    let machine = Machine::new();
    let (keeper, handle) = Keeper::new(
        Ca::new("CN=Machines").machine(90 * DAY),
        Arc::clone(&tokens) as _,
        machine,
    );
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let socket = UnixSocket::bind(&folder.path().join("agent.sock"), &[]).unwrap();
    let agent = Agent::new(keeper, handle.clone(), state).with_socket(socket, keys);
    let (stop, stopped) = oneshot::channel::<()>();
    let agent = tokio::spawn(agent.run(async move {
        let _ = stopped.await;
    }));
    handle.changes().wait_for(Option::is_some).await.unwrap();
    World {
        folder,
        tokens,
        stop: Some(stop),
        agent: Some(agent),
    }
}

/// Whoever was told so reads the files next: a program that systemd starts after the agent, for one.
#[tokio::test]
async fn when_it_is_in_place_the_files_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let (keeper, handle) = Keeper::new(
        Ca::new("CN=Machines").machine(90 * DAY),
        Tokens::new(900) as _,
        Machine::new(),
    );
    let path = folder.path().join("state");
    let agent = Agent::new(keeper, handle.clone(), StateFolder::open(&path).unwrap());
    let mut in_place = handle.in_place();
    assert!(!*in_place.borrow());
    assert!(StateFolder::status(&path).is_err());
    let agent = tokio::spawn(agent.run(std::future::pending()));
    in_place.wait_for(|is| *is).await.unwrap();
    let (status, _written) = StateFolder::status(&path).unwrap();
    let status: sealstone_agent::Status = serde_json::from_str(&status).unwrap();
    assert_eq!(status.health, sealstone_agent::Health::Fresh);
    assert!(path.join("current/token").exists());
    agent.abort();
}

impl World {
    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("agent.sock")
    }

    async fn ask(&self, request: &str) -> (u16, String) {
        exchange(&self.path(), request).await
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n"
        ))
        .await
    }
}

async fn exchange(path: &Path, request: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(path).await.unwrap();
    // A request that is refused half-way is not read to its end.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let status = answer
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .parse()
        .unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status, body.unwrap_or_default())
}

#[tokio::test]
async fn a_program_gets_token_certificate_and_status() {
    let world = world(PrivateKeys::Kept).await;
    assert_eq!(fs::metadata(world.path()).unwrap().mode() & 0o777, 0o600);
    let (status, token) = world.get("/token").await;
    assert_eq!(status, 200);
    let (_, header) = world.get("/header").await;
    assert_eq!(header, format!("Authorization: Bearer {token}\n"));
    let (_, credential) = world.get("/credential").await;
    let credential: serde_json::Value = serde_json::from_str(&credential).unwrap();
    assert_eq!(credential["access_token"], token.as_str());
    assert!(token.starts_with(credential["x5t#S256"].as_str().unwrap()));
    assert!(credential.get("private_key").is_none(), "{credential}");
    let (_, chain) = world.get("/certificate").await;
    assert_eq!(credential["certificate_chain"], chain.as_str());
    let (status, health) = world.get("/health").await;
    assert_eq!(status, 200);
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!(health["health"], "fresh");
    assert!(!health.to_string().contains(&token));
    for (request, want) in [
        (
            "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            404,
        ),
        (
            "POST /token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            405,
        ),
        (
            "GET /../token HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            404,
        ),
        ("nonsense\r\n\r\n", 400),
    ] {
        let (status, body) = world.ask(request).await;
        assert_eq!(status, want, "{request}");
        assert!(!body.contains(&token));
    }
    let long = format!(
        "GET /token HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n",
        "x".repeat(300_000)
    );
    let (status, body) = world.ask(&long).await;
    assert!(status != 200 && !body.contains(&token), "{status}");
}

#[tokio::test]
async fn private_keys_are_given_where_that_is_configured() {
    let world = world(PrivateKeys::Given).await;
    let (_, credential) = world.get("/credential").await;
    let credential: serde_json::Value = serde_json::from_str(&credential).unwrap();
    let chain = credential["certificate_chain"].as_str().unwrap();
    let key = credential["private_key"].as_str().unwrap();
    sealstone_agent::MachinePair::from_pem(chain, key).unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_a_good_token_the_reason_is_told() {
    let world = world(PrivateKeys::Kept).await;
    world.tokens.fail(Some(TokenFault::Refused(
        "the server refused with invalid_client: ask there".to_owned(),
    )));
    tokio::time::sleep(Duration::from_secs(1000)).await;
    let (status, body) = world.get("/token").await;
    assert_eq!(status, 503);
    assert_eq!(
        body,
        "the agent has no token that is good: the server refused with invalid_client: ask there\n"
    );
    assert_eq!(world.get("/health").await.0, 503);
    assert_eq!(world.get("/status").await.0, 200);
}

#[tokio::test]
async fn sockets_are_put_in_place_of_dead_ones_and_of_nothing_else() {
    let world = world(PrivateKeys::Kept).await;
    let path = world.path();
    let error = UnixSocket::bind(&path, &[]).unwrap_err();
    assert!(matches!(error, FileError::Taken(_)), "{error}");
    // A killed agent's.
    let dead = world.folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    drop(UnixSocket::bind(&dead, &[]).unwrap());
    assert!(!dead.exists(), "it is removed at the end");
    let file = world.folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = UnixSocket::bind(&file, &[]).unwrap_err().to_string();
    assert!(error.contains("no socket of this user"), "{error}");
    let link = world.folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(UnixSocket::bind(&link, &[]).is_err());
    let shared = UnixSocket::bind(&world.folder.path().join("shared.sock"), &[12345]).unwrap();
    assert_eq!(
        fs::metadata(world.folder.path().join("shared.sock"))
            .unwrap()
            .mode()
            & 0o777,
        0o666
    );
    drop(shared);
}

#[tokio::test]
async fn at_its_end_the_socket_is_gone_and_the_state_stays() {
    let mut world = world(PrivateKeys::Kept).await;
    let (_, token) = world.get("/token").await;
    let path = world.folder.path().join("state/current/token");
    // Files are written beside the socket's answers.
    while fs::read_to_string(&path).ok().as_ref() != Some(&token) {
        tokio::task::yield_now().await;
    }
    world.stop.take().unwrap().send(()).unwrap();
    world.agent.take().unwrap().await.unwrap();
    assert!(!world.path().exists());
    assert_eq!(fs::read_to_string(&path).unwrap(), token);
}

//! A rotation under load: the old and the new certificate are both live, and no request notices.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use sealstone_agent::{Agent, Credential, Keeper, LocalSecret, StateFolder, Surroundings as _};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

use crate::{
    machine::{Ca, DAY, Issuer, Stepped, Tokens},
    service::{PATIENCE, Service},
};

const WORKERS: usize = 16;
const ROTATIONS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_under_load_is_invisible() {
    let service = Service::start().await;
    let (machine, tokens) = (Stepped::new(), Tokens::new(900));
    let ca = Arc::new(Ca::new("CN=Machines"));
    let pair = ca.machine(DAY);
    let (keeper, handle) = Keeper::new(pair, Arc::clone(&tokens) as _, Arc::clone(&machine) as _);
    let keeper = keeper.renewing(Issuer::new(&ca, DAY, Vec::new()), ca.roots());
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let secret = LocalSecret::new(&[7; 32]);
    let agent = Agent::new(keeper, handle.clone(), state)
        .with_proxy_at_port(listener, secret.clone(), service.settings())
        .unwrap();
    let agent = tokio::spawn(agent.run(std::future::pending()));
    let mut changes = handle.changes();
    changes.wait_for(Option::is_some).await.unwrap();

    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    let request = move |path: &str| {
        Request::get(format!("http://{address}{path}"))
            .header("authorization", format!("Bearer {}", secret.expose()))
            .body(Empty::<Bytes>::new())
            .unwrap()
    };
    for _ in 0..WORKERS {
        let (stop, done, request) = (Arc::clone(&stop), Arc::clone(&done), request.clone());
        workers.spawn(async move {
            let client = Client::builder(TokioExecutor::new()).build_http();
            while !stop.load(Ordering::SeqCst) {
                let answer = client.request(request("/load")).await.unwrap();
                let status = answer.status();
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                done.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    // An answer that began before the first rotation and ends after the last.
    let client = Client::builder(TokioExecutor::new()).build_http();
    let slow = client.request(request("/slow")).await.unwrap();

    let more = async |count: usize| {
        let goal = done.load(Ordering::SeqCst) + count;
        while done.load(Ordering::SeqCst) < goal {
            tokio::task::yield_now().await;
        }
    };
    let driven = async {
        for rotation in 1..=ROTATIONS {
            more(100).await;
            let old = handle.credential().unwrap().pair().clone();
            // Until then in steps, as time passes: the token is renewed on the way, too.
            let due = old.certificate().not_before().as_secs() + DAY * 65 / 100;
            while handle.status().rotations < rotation {
                machine.pass(700);
                let now = machine.now();
                // The token is of this moment: alone, or with a new certificate.
                let fresh =
                    |held: &Option<Credential>| held.as_ref().is_some_and(|held| held.token().since() == now);
                while !fresh(&changes.borrow()) {
                    machine.nudge();
                    tokio::task::yield_now().await;
                }
                assert!(machine.now().as_secs() < due + DAY, "no rotation");
            }
        }
        more(200).await;
    };
    timeout(PATIENCE * 4, driven).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    service.seen.finish.send_replace(true);
    let slow = slow.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&slow[..], b"first half, second half");
    assert_eq!(service.seen.wrong.load(Ordering::SeqCst), 0);
    let certificates = service.seen.certificates.lock().unwrap().len();
    assert_eq!(u64::try_from(certificates).unwrap(), ROTATIONS + 1);
    assert!(done.load(Ordering::SeqCst) >= 800);
    agent.abort();
}

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sealstone_factors::NewPassword;
use sealstone_identity::{DomainId, Name, ProjectScope, RoleName, UserRef};

use super::*;
use crate::{InlineHashing, UserChange, UserInsertion, UserRegistration, UserRemoval, UserReplacement};

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

/// Users in memory, or a store that is down.
#[derive(Default)]
struct Users {
    kept: Mutex<BTreeMap<UserId, DirectoryUser>>,
    is_down: bool,
}

impl Users {
    fn up(&self) -> Result<Vec<Arc<DirectoryUser>>, DirectoryStoreError> {
        if self.is_down {
            return Err(DirectoryStoreError::new("no disk"));
        }
        Ok(self
            .kept
            .lock()
            .unwrap()
            .values()
            .cloned()
            .map(Arc::new)
            .collect())
    }

    fn keep(&self, user: &DirectoryUser) {
        self.kept.lock().unwrap().insert(user.id().clone(), user.clone());
    }
}

#[async_trait]
impl DirectoryStore for Users {
    async fn user(&self, id: &UserId) -> Result<Option<Arc<DirectoryUser>>, DirectoryStoreError> {
        Ok(self.up()?.into_iter().find(|user| user.id() == id))
    }

    async fn user_named(
        &self,
        domain: &DomainId,
        name: &UserName,
    ) -> Result<Option<Arc<DirectoryUser>>, DirectoryStoreError> {
        let named = |user: &Arc<DirectoryUser>| user.domain() == domain && user.name().key() == name.key();
        Ok(self.up()?.into_iter().find(named))
    }

    async fn insert_user(&self, _user: DirectoryUser) -> Result<UserInsertion, DirectoryStoreError> {
        unreachable!("a login changes nobody")
    }

    async fn replace_user(
        &self,
        _: u64,
        _user: DirectoryUser,
    ) -> Result<UserReplacement, DirectoryStoreError> {
        unreachable!("a login changes nobody")
    }

    async fn delete_user(&self, _id: &UserId) -> Result<UserRemoval, DirectoryStoreError> {
        unreachable!("a login changes nobody")
    }

    async fn list_users(
        &self,
        _domain: &DomainId,
        _after: Option<&UserName>,
        _limit: usize,
    ) -> Result<Vec<Arc<DirectoryUser>>, DirectoryStoreError> {
        unreachable!("a login lists nobody")
    }

    async fn domain_name(&self, _domain: &DomainId) -> Result<Option<Name>, DirectoryStoreError> {
        self.up()?;
        Ok(Some(Name::parse("Demo").unwrap()))
    }
}

/// Hashes inline, and counts.
#[derive(Default)]
struct Pool {
    computed: AtomicUsize,
    refuses: Option<HashingError>,
}

#[async_trait]
impl HashingPool for Pool {
    async fn matches(&self, hash: PasswordHash, typed: Zeroizing<String>) -> Result<bool, HashingError> {
        if let Some(error) = self.refuses {
            return Err(error);
        }
        self.computed.fetch_add(1, Ordering::Relaxed);
        InlineHashing.matches(hash, typed).await
    }
}

fn user(name: &str, number: u8) -> DirectoryUser {
    let held = |id: &str, name: &str| PersonProject {
        project: ProjectScope::new(id, name, "demo").unwrap(),
        roles: vec![RoleName::parse("member").unwrap()],
    };
    let registration = UserRegistration {
        projects: vec![held("p2", "zoo"), held("p3", "builds"), held("p1", "builds")],
        ..UserRegistration::new(UserName::parse(name).unwrap())
    };
    DirectoryUser::register(demo(), registration, [number; 16], at(100)).unwrap()
}

fn with_password(user: &DirectoryUser) -> DirectoryUser {
    let hash = NewPassword::parse("correct horse")
        .unwrap()
        .hash([1; 16])
        .unwrap();
    user.with_password(hash, at(100)).unwrap()
}

struct World {
    users: Arc<Users>,
    pool: Arc<Pool>,
    source: EmbeddedDirectory,
}

impl World {
    fn new(users: Users, pool: Pool) -> Self {
        let (users, pool) = (Arc::new(users), Arc::new(pool));
        let source = EmbeddedDirectory::new(Arc::clone(&users) as _, Arc::clone(&pool) as _, || at(500));
        Self { users, pool, source }
    }

    fn of(users: &[DirectoryUser]) -> Self {
        let world = Self::new(Users::default(), Pool::default());
        for user in users {
            world.users.keep(user);
        }
        world
    }

    async fn log_in(&self, domain: &str, user_name: &str, password: &str) -> Result<LoginStep, LoginError> {
        let domain = DomainId::parse(domain).unwrap();
        let attempt = PasswordAttempt {
            domain: &domain,
            user_name,
            password,
        };
        self.source.begin(&attempt).await
    }
}

fn refusal<T: fmt::Debug>(answer: Result<T, LoginError>) -> LoginRefusal {
    answer.unwrap_err().refusal().expect("a refusal")
}

#[tokio::test]
async fn the_right_password_lets_in_under_any_spelling_of_the_name() {
    let ada = with_password(&user("ada", 1));
    let world = World::of(&[ada.clone(), with_password(&user("bob", 2))]);
    for name in ["ada", "Ada", " ADA "] {
        let LoginStep::Done(login) = world.log_in("demo", name, "correct horse").await.unwrap() else {
            panic!("no code is asked for here");
        };
        assert_eq!(login.methods, [AuthMethod::Password]);
        assert_eq!(login.person.user.id(), ada.id());
        assert_eq!(login.person.user.domain_name().map(Name::as_str), Some("Demo"));
    }
}

/// Whatever is wrong, one answer and one hash: neither text nor time tells who has an account.
#[tokio::test]
async fn whatever_is_wrong_is_refused_alike_at_the_cost_of_one_hash() {
    let ada = with_password(&user("ada", 1));
    let gone = with_password(&user("gone", 2)).disabled(at(200)).unwrap();
    let world = World::of(&[ada, gone, user("fresh", 3)]);
    for (case, domain, name, password) in [
        ("wrong password", "demo", "ada", "correct horse2"),
        ("empty password", "demo", "ada", ""),
        ("huge password", "demo", "ada", &*"x".repeat(70_000)),
        ("unknown name", "demo", "eve", "correct horse"),
        ("no name", "demo", "", "correct horse"),
        ("a name that is none", "demo", "ada\u{200b}", "correct horse"),
        ("a huge name", "demo", &"a".repeat(70_000), "correct horse"),
        (
            "an id for a name",
            "demo",
            "01010101010101010101010101010101",
            "correct horse",
        ),
        ("disabled", "demo", "gone", "correct horse"),
        ("no password yet", "demo", "fresh", ""),
        ("another domain", "other", "ada", "correct horse"),
    ] {
        let before = world.pool.computed.load(Ordering::Relaxed);
        let answer = world.log_in(domain, name, password).await;
        assert_eq!(refusal(answer), LoginRefusal::Credentials, "{case}");
        assert_eq!(world.pool.computed.load(Ordering::Relaxed), before + 1, "{case}");
    }
}

#[tokio::test]
async fn an_outage_is_no_refusal() {
    let ada = with_password(&user("ada", 1));
    let down = World::new(
        Users {
            is_down: true,
            ..Users::default()
        },
        Pool::default(),
    );
    let answers = [
        down.log_in("demo", "ada", "correct horse").await.map(|_| ()),
        down.source.person(ada.id()).await.map(|_| ()),
        down.source.projects(ada.id()).await.map(|_| ()),
        down.source
            .authority(ada.id(), &ProjectId::parse("p1").unwrap())
            .await
            .map(|_| ()),
    ];
    for answer in answers {
        assert!(
            matches!(answer, Err(LoginError::Unavailable { .. })),
            "{answer:?}"
        );
    }
    let wait = Duration::from_secs(2);
    for (error, want) in [
        (HashingError::Busy { retry_after: wait }, Some(wait)),
        (HashingError::Failed, None),
    ] {
        let pool = Pool {
            refuses: Some(error),
            ..Pool::default()
        };
        let world = World::new(Users::default(), pool);
        world.users.keep(&ada);
        let answer = world.log_in("demo", "ada", "correct horse").await;
        assert!(
            matches!(answer, Err(LoginError::Unavailable { retry_after, .. }) if retry_after == want),
            "{error}"
        );
    }
}

#[tokio::test]
async fn who_is_gone_or_disabled_has_nothing_any_more() {
    let ada = with_password(&user("ada", 1));
    let p1 = ProjectId::parse("p1").unwrap();
    let world = World::of(&[ada.disabled(at(200)).unwrap()]);
    let unknown = UserId::parse("nobody").unwrap();
    for id in [ada.id(), &unknown] {
        assert_eq!(refusal(world.source.person(id).await), LoginRefusal::Person);
        assert_eq!(refusal(world.source.projects(id).await), LoginRefusal::Person);
        assert_eq!(
            refusal(world.source.authority(id, &p1).await),
            LoginRefusal::Person
        );
    }
    world
        .users
        .keep(&ada.disabled(at(200)).unwrap().enabled(at(300)).unwrap());
    let person = world.source.person(ada.id()).await.unwrap();
    assert!(
        !person.stands_since(at(150)) && person.stands_since(at(301)),
        "{person:?}"
    );
}

#[tokio::test]
async fn a_change_is_seen_at_once() {
    let ada = with_password(&user("ada", 1));
    let world = World::of(std::slice::from_ref(&ada));
    let p1 = ProjectId::parse("p1").unwrap();
    let had = world.source.authority(ada.id(), &p1).await.unwrap();
    assert_eq!(
        (had.method, had.read_at, had.expires_at),
        (DelegationMethod::Person, at(500), None)
    );
    let change = UserChange {
        projects: Some(Vec::new()),
        ..UserChange::default()
    };
    world.users.keep(&ada.changed(change, at(300)).unwrap());
    assert_eq!(
        refusal(world.source.authority(ada.id(), &p1).await),
        LoginRefusal::NoRole
    );
    assert!(world.source.projects(ada.id()).await.unwrap().is_empty());
}

#[tokio::test]
async fn projects_come_by_name_and_another_is_none() {
    let world = World::of(&[user("ada", 1)]);
    let id = user("ada", 1).id().clone();
    let projects = world.source.projects(&id).await.unwrap();
    let ids: Vec<&str> = projects.iter().map(|held| held.project.id().as_str()).collect();
    assert_eq!(ids, ["p1", "p3", "p2"]);
    let other = ProjectId::parse("p9").unwrap();
    assert_eq!(
        refusal(world.source.authority(&id, &other).await),
        LoginRefusal::NoRole
    );
}

#[tokio::test]
async fn no_login_is_ever_left_open() {
    let world = World::of(&[]);
    let whose = UserRef::new("u1", "ada", "demo").unwrap();
    let open = OpenLogin::new(whose, Zeroizing::new(String::new()), at(900));
    let code = Passcode::parse("287082").unwrap();
    assert_eq!(
        refusal(world.source.go_on(&open, &code).await),
        LoginRefusal::Ended
    );
}

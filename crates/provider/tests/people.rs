//! People: whole flows in process, over the stores in memory, with a clock that moves when told.

mod people {
    mod authorize;
    mod codes;
    mod devices;
    mod discovery;
    mod login;
    mod logout;
    mod refresh;
    mod support;
    mod userinfo;
}

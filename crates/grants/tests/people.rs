//! What people grant, by table: who asks how, and what comes of it. The store is a model of the ports; no runtime, no
//! clock.

mod people {
    mod authorize;
    mod codes;
    mod decisions;
    mod devices;
    mod inspect;
    mod interaction;
    mod logout;
    mod properties;
    mod refresh;
    mod support;
    mod userinfo;
    mod world;
}

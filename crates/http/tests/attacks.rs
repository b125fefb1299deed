//! What hostile and broken peers send, and what they get. The names are those of the attack catalogue.

mod administrators;
mod arbitrary;
mod assertions;
mod attacks_a;
mod attacks_c;
mod attacks_e;
mod attacks_f;
mod attacks_g;
mod attacks_k;
mod attacks_l;
mod attacks_m;
mod attacks_o;
mod attacks_r;
mod attacks_s;
mod bearers;
mod broker;
mod conformance;
mod ended_logins;
mod faults;
mod gone;
mod key_making;
mod keys;
mod metadata;
mod one_write;
mod os_oauth2;
mod pages;
mod passkeys;
mod people;
mod preset;
mod support;
mod tied;
mod waiting;

#[path = "../../pages/tests/pages/document.rs"]
#[expect(dead_code, reason = "the tests of the pages look closer at a document")]
mod document;

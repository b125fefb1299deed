//! From a terminal to a Keystone token, with every part real: `sealstone`, Chromium, the login pages with a second factor,
//! Keystone behind Apache with `mod_auth_openidc`, and the `openstack` command.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

#[path = "terminal_login/circle.rs"]
mod circle;
#[path = "terminal_login/plugins.rs"]
mod plugins;
#[path = "terminal_login/world.rs"]
mod world;

use world::World;

/// One world for each: a Keystone of its own takes a quarter of a minute.
#[test]
fn from_the_terminal_to_keystone() {
    let world = World::start();
    circle::by_the_browser(&world);
    circle::by_websso(&world);
    circle::by_a_code_without_a_display(&world);
    circle::by_a_token_that_is_bound(&world);
    circle::who_says_no_is_not_logged_in(&world);
    circle::one_of_several_scopes_is_chosen(&world);
    world.nothing_secret_was_said();
}

#[test]
fn r_rows_beside_the_python_plugins() {
    let world = World::start();
    plugins::r03_the_port_is_open_before_the_browser(&world);
    plugins::r04_r05_requests_of_others_do_not_end_the_login(&world);
    plugins::r08_forms_of_others_are_not_taken(&world);
    plugins::r08_another_users_token_is_not_taken(&world);
    plugins::r10_what_older_plugins_kept_is_taken_over(&world);
    world.nothing_secret_was_said();
}

//! What every store promises about people: what they granted, that they are logged in, who they are. Asked of every
//! store: memory, SQLite, PostgreSQL.

#[cfg(feature = "sqlite")]
mod alike;
#[cfg(feature = "postgres")]
#[path = "../cluster/mod.rs"]
mod cluster;
mod codes;
mod consents;
mod devices;
mod directory;
mod factors;
mod fixtures;
mod interactions;
#[cfg(feature = "postgres")]
mod nodes;
mod notices;
mod refresh;
mod registration;
#[cfg(feature = "sqlite")]
mod restart;
mod sessions;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod two_processes;

/// A store for each promise; `$make` gives a new one, and what must live as long.
macro_rules! each {
    ($module:ident, $make:tt, [$($group:ident { $($promise:ident),+ $(,)? })+]) => {
        mod $module {
            $(mod $group {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $promise() {
                        let (store, _keep) = $make.await;
                        crate::$group::$promise(store).await;
                    }
                )+
            })+
        }
    };
}

/// One PostgreSQL server for all promises of a group, and a database for each.
#[cfg(feature = "postgres")]
macro_rules! together {
    ($module:ident, (), [$($group:ident { $($promise:ident),+ $(,)? })+]) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $group() {
                    let Some(cluster) = crate::cluster::cluster() else { return };
                    $(
                        eprintln!("{}", stringify!($promise));
                        let store = crate::cluster::store(&cluster).await;
                        crate::$group::$promise(store.clone()).await;
                        store.close().await;
                    )+
                }
            )+
        }
    };
}

/// The suite for one kind of store.
macro_rules! store_contract {
    ($how:ident, $module:ident, $make:tt) => {
        $how!($module, $make, [
            codes {
                codes_are_kept_as_given,
                h08_a_second_use_ends_what_the_first_gave,
                h05_a_spent_code_gives_nothing,
                a_redemption_is_whole_or_nothing,
                h08_of_exchanges_at_once_one_wins,
                codes_are_forgotten_in_their_time,
            }
            refresh {
                families_are_rotated_by_generation,
                k02_of_uses_at_once_one_rotates,
                uses_of_a_token_that_stays_are_joined,
                a_person_has_a_bounded_number_of_families_at_a_client,
                k01_an_ended_family_stays_ended,
                each_ending_ends_what_it_names_and_no_more,
                a_persons_families_are_listed,
                k07_expired_families_are_forgotten,
            }
            devices {
                requests_are_found_by_either_code,
                l02_a_user_code_names_one_request,
                l11_requests_are_bounded,
                of_decisions_at_once_one_counts,
                l03_polls_are_noted,
                l06_an_approved_request_is_collected_once,
            }
            consents {
                consents_are_of_one_person_client_and_domain,
            }
            interactions {
                r13_of_requests_at_once_one_goes_on,
                r14_an_interaction_is_taken_once,
                strangers_make_room_and_people_do_not,
                r13_one_person_fills_their_own_places_only,
            }
            notices {
                notices_wait_until_they_are_due,
                each_notice_is_taken_by_one,
                notices_are_bounded,
            }
            registration {
                o14_a_disabled_clients_tokens_end_in_the_same_step,
                initial_tokens_are_kept_as_given,
                of_registrations_at_once_as_many_win_as_the_token_allows,
            }
            sessions {
                sessions_are_found_by_cookie_and_by_name,
                sessions_are_compared_and_swapped,
                an_ended_session_stays_ended,
                sessions_of_one_person_end_together,
                sessions_over_are_forgotten,
            }
            factors {
                factors_are_compared_and_swapped,
                r14_a_code_is_spent_once,
                r13_a_known_browser_is_counted_by_itself,
                r13_guesses_at_once_are_each_counted,
            }
            directory {
                users_are_found_by_id_and_by_name,
                users_are_replaced_by_version,
                users_are_listed_by_name,
                a_deleted_user_leaves_nothing_behind,
                k09_a_deleted_client_leaves_nothing_behind,
            }
        ]);
    };
}

store_contract!(each, memory, {
    async { (sealstone_storage::MemoryStore::new(), ()) }
});

#[cfg(feature = "sqlite")]
store_contract!(each, sqlite, {
    async {
        let folder = tempfile::tempdir().unwrap();
        (
            sealstone_storage::SqlStore::open(&folder.path().join("test.db"))
                .await
                .unwrap(),
            folder,
        )
    }
});

#[cfg(feature = "postgres")]
store_contract!(together, postgres, ());

//! Which key is tried first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The octet of a signature that chooses where the search begins: within r, or within Ed25519's R, and with nothing before
/// it that a curve leaves at zero. Nobody chooses it but by signing anew.
const CHOOSING: usize = 8;

/// An order in which keys are tried, of which every one is tried in the end: what it remembers makes a token cheaper, and
/// decides nothing.
///
/// Tokens come of one node for a while, or of all nodes in turn, or in no order. So it is remembered which key proved the
/// token after one of each key: in the first two cases that is the right one again. The others follow from a place on that
/// the signature chooses: whatever the order of tokens, half of them are tried on average, and no order makes it all.
#[derive(Debug, Clone)]
pub(super) struct Order(Arc<Places>);

#[derive(Debug)]
struct Places {
    /// The key of the last token.
    last: AtomicUsize,
    /// For each key, the one that proved the token after one of its.
    next: Box<[AtomicUsize]>,
}

impl Order {
    /// Of so many keys.
    pub(super) fn new(keys: usize) -> Self {
        Self(Arc::new(Places {
            last: AtomicUsize::new(0),
            next: (0..keys).map(AtomicUsize::new).collect(),
        }))
    }

    /// Every key's place, once.
    pub(super) fn places(&self, signature: &[u8]) -> impl Iterator<Item = usize> + use<> {
        let keys = self.0.next.len();
        let likely = self.after(self.0.last.load(Ordering::Relaxed));
        let likely = likely.map_or(0, |next| next.load(Ordering::Relaxed));
        let octet = signature.get(CHOOSING).copied().unwrap_or_default();
        let start = usize::from(octet).checked_rem(keys).unwrap_or_default();
        let others = (start..keys)
            .chain(0..start)
            .filter(move |place| *place != likely);
        std::iter::once(likely).chain(others)
    }

    /// The key at `place` proved a token.
    pub(super) fn proved(&self, place: usize) {
        let last = self.0.last.swap(place, Ordering::Relaxed);
        if let Some(next) = self.after(last) {
            next.store(place, Ordering::Relaxed);
        }
    }

    fn after(&self, place: usize) -> Option<&AtomicUsize> {
        self.0.next.get(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many keys were tried for tokens of these keys, the signatures being random.
    fn tried(order: &Order, keys: &[usize]) -> usize {
        let mut octet: u32 = 1;
        let one = |key: &usize| {
            octet = octet.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut signature = [0; 64];
            signature[CHOOSING] = octet.to_be_bytes()[0];
            let tried = order.places(&signature).position(|place| place == *key).unwrap() + 1;
            order.proved(*key);
            tried
        };
        keys.iter().map(one).sum()
    }

    #[test]
    fn every_key_is_tried_once() {
        for keys in 0..6 {
            let order = Order::new(keys);
            for octet in 0..=u8::MAX {
                let mut places: Vec<usize> = order.places(&[octet; 64]).collect();
                places.sort_unstable();
                // Without a key there is one place, at which nothing is.
                assert_eq!(places, (0..keys.max(1)).collect::<Vec<_>>());
                order.proved(usize::from(octet) % keys.max(1));
            }
        }
        assert_eq!(Order::new(3).places(&[]).count(), 3, "a signature that is none");
    }

    #[test]
    fn tokens_of_one_node_and_of_all_in_turn_cost_one_key_each_and_all_others_half_of_them() {
        let count = 3000;
        let turns = |turn: fn(usize) -> usize| (0..count).map(turn).collect::<Vec<_>>();
        for (what, keys, most) in [
            ("of one node", turns(|_| 2), count + 5),
            ("in turn", turns(|turn| turn % 3), count + 10),
            ("in turn, backwards", turns(|turn| 2 - turn % 3), count + 10),
            // No key after another twice: what was remembered is always wrong.
            (
                "as unlucky as can be",
                turns(|turn| [0, 0, 1, 1, 2, 2, 0, 2, 1][turn % 9]),
                count * 26 / 10,
            ),
        ] {
            let order = Order::new(3);
            let tried = tried(&order, &keys);
            assert!(tried <= most, "{what}: {tried} for {count}");
        }
        let mut state: u32 = 7;
        let keys: Vec<usize> = (0..count)
            .map(|_| {
                state = state.wrapping_mul(22_695_477).wrapping_add(1);
                usize::from(state.to_be_bytes()[0]) % 3
            })
            .collect();
        let tried = tried(&Order::new(3), &keys);
        assert!(
            (count * 19 / 10..=count * 21 / 10).contains(&tried),
            "{tried} for {count}"
        );
    }
}

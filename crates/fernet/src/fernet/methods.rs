use crate::limits::{MAX_METHOD, MAX_METHODS};
use crate::{DecodeError, IssueError, KeyError, Methods};

/// Keystone's `[auth] methods`: its **order** gives the bits by which Fernet names the methods, the first 1.
///
/// Nodes that differ in it misread each other's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthMethods {
    names: Vec<String>,
    /// Each name alone, as tokens mostly have it.
    single: Vec<Methods>,
}

impl AuthMethods {
    /// Takes the names in the configured order.
    ///
    /// # Errors
    /// [`KeyError::Methods`] for none, more than 32, a name twice, or one that is empty or too long.
    pub fn new(names: &[&str]) -> Result<Self, KeyError> {
        let twice = |(place, name): (usize, &&str)| names.iter().take(place).any(|other| other == name);
        let bad = |name: &&str| name.is_empty() || name.len() > MAX_METHOD;
        if names.is_empty()
            || names.len() > MAX_METHODS
            || names.iter().any(bad)
            || names.iter().enumerate().any(twice)
        {
            return Err(KeyError::Methods);
        }
        Ok(Self::of(names))
    }

    fn of(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            single: names.iter().map(|&name| Methods::new(&[name])).collect(),
        }
    }

    /// Reads the option as it stands in `keystone.conf`: names with commas between.
    ///
    /// # Errors
    /// As [`AuthMethods::new`].
    pub fn parse(option: &str) -> Result<Self, KeyError> {
        let names: Vec<&str> = option.split(',').map(str::trim).collect();
        Self::new(&names)
    }

    /// Has every one of `names` a bit?
    pub(super) fn has_all(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.names.contains(name))
    }

    /// The names of a mask, highest bit first, as Keystone lists them.
    pub(super) fn names(&self, mask: u64) -> Result<Methods, DecodeError> {
        if mask.is_power_of_two() {
            let place = usize::try_from(mask.trailing_zeros()).unwrap_or(usize::MAX);
            return self.single.get(place).cloned().ok_or(DecodeError::Methods);
        }
        let mut left = mask;
        let mut names = Vec::with_capacity(usize::try_from(mask.count_ones()).unwrap_or_default());
        for (bit, name) in self.bits().take_while(|(bit, _name)| *bit <= mask) {
            if left & bit != 0 {
                left ^= bit;
                names.push(name.clone());
            }
        }
        if left != 0 {
            return Err(DecodeError::Methods);
        }
        names.reverse();
        Ok(names.into())
    }

    /// The mask of `names`. As with Keystone, unknown names vanish (`oauth2_credential` among them).
    pub(super) fn mask(&self, names: &[String]) -> Result<u64, IssueError> {
        if let [lone] = names {
            let mut bits = self.bits();
            return Ok(bits
                .find(|(_bit, name)| *name == lone)
                .map_or(0, |(bit, _name)| bit));
        }
        let mut mask = 0;
        for (bit, name) in self.bits() {
            match names.iter().filter(|&given| given == name).count() {
                0 => {}
                1 => mask |= bit,
                // Keystone adds the bits up: twice the bit of one method is the next one's.
                _ => return Err(IssueError::Claim("methods")),
            }
        }
        Ok(mask)
    }

    fn bits(&self) -> impl Iterator<Item = (u64, &String)> {
        std::iter::successors(Some(1_u64), |bit| bit.checked_mul(2)).zip(&self.names)
    }
}

impl Default for AuthMethods {
    /// Keystone's default: `external,password,token,oauth1,mapped,application_credential,ec2credential`.
    fn default() -> Self {
        let names = [
            "external",
            "password",
            "token",
            "oauth1",
            "mapped",
            "application_credential",
            "ec2credential",
        ];
        Self::of(&names)
    }
}

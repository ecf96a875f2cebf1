//! The budget: what a program may need, as committed in the repository.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::measure::{Object, Size};

const HEADER: &str = "\
# What the eBPF programs may need, written by `cargo xtask verify --update` (what was measured, plus some room).
# instructions: after the kernel's rewriting; verified: walked by the verifier over all paths (the kernel stops at a
# million); stack: bytes of the program and its functions together; map_kib: kernel memory of all maps.

";

/// Limits by object.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Budget {
    objects: BTreeMap<String, Limits>,
}

/// Limits of one object.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Kernel memory of all maps, in KiB.
    pub map_kib: u64,
    /// Limits by program.
    pub programs: BTreeMap<String, Size>,
}

impl Budget {
    /// What was measured plus an eighth, so that another compiler or kernel passes and a new feature shows.
    pub fn with_room(objects: &[Object]) -> Self {
        let limits = |object: &Object| Limits {
            map_kib: round_up(object.map_kib() + object.map_kib() / 8, 16),
            programs: object
                .programs
                .iter()
                .map(|(name, size)| (name.clone(), roomy(*size)))
                .collect(),
        };
        Self {
            objects: objects
                .iter()
                .map(|object| (object.name.clone(), limits(object)))
                .collect(),
        }
    }

    /// The limits of an object.
    pub fn limits(&self, object: &str) -> Option<&Limits> {
        self.objects.get(object)
    }

    /// The file.
    pub fn to_text(&self) -> Result<String> {
        Ok(format!("{HEADER}{}", toml::to_string(self)?))
    }

    /// A line for everything that is over its limit, has none, or has one and is gone.
    pub fn check(&self, objects: &[Object]) -> Vec<String> {
        let mut over = Vec::new();
        for object in objects {
            let Some(limits) = self.limits(&object.name) else {
                over.push(format!("{} is not in the budget", object.name));
                continue;
            };
            compare(
                &mut over,
                &format!("{}: map_kib", object.name),
                object.map_kib(),
                limits.map_kib,
            );
            for (name, size) in &object.programs {
                let what = format!("{}: {name}", object.name);
                let Some(limit) = limits.programs.get(name) else {
                    over.push(format!("{what} is not in the budget"));
                    continue;
                };
                compare(
                    &mut over,
                    &format!("{what}: instructions"),
                    size.instructions,
                    limit.instructions,
                );
                compare(
                    &mut over,
                    &format!("{what}: verified"),
                    size.verified,
                    limit.verified,
                );
                compare(
                    &mut over,
                    &format!("{what}: stack"),
                    size.stack,
                    limit.stack,
                );
            }
            let gone = limits
                .programs
                .keys()
                .filter(|name| !object.programs.contains_key(*name));
            over.extend(gone.map(|name| {
                format!(
                    "{}: {name} is in the budget, but not in the object",
                    object.name
                )
            }));
        }
        over
    }
}

fn compare(over: &mut Vec<String>, what: &str, measured: u64, limit: u64) {
    if measured > limit {
        over.push(format!("{what} is {measured}, allowed are {limit}"));
    }
}

fn roomy(size: Size) -> Size {
    Size {
        instructions: round_up(size.instructions + size.instructions / 8, 16),
        verified: round_up(size.verified + size.verified / 8, 64),
        // The kernel's own limit for a chain of calls leaves no room to be generous with.
        stack: round_up(size.stack, 16),
    }
}

fn round_up(value: u64, step: u64) -> u64 {
    value.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Budget;
    use crate::measure::{Object, Size};

    fn object(instructions: u64) -> Object {
        let size = Size {
            instructions,
            verified: 300,
            stack: 40,
        };
        Object {
            name: "forwarder".to_owned(),
            programs: BTreeMap::from([("ingress".to_owned(), size)]),
            maps: BTreeMap::from([("HOPS".to_owned(), 4096)]),
        }
    }

    #[test]
    fn what_was_measured_fits_and_what_grows_does_not() {
        let budget = Budget::with_room(&[object(160)]);
        assert!(budget.check(&[object(160)]).is_empty());
        assert_eq!(
            budget.check(&[object(1000)]),
            ["forwarder: ingress: instructions is 1000, allowed are 192"]
        );
    }

    #[test]
    fn the_file_reads_back() {
        let text = Budget::with_room(&[object(160)]).to_text().unwrap();
        let budget: Budget = toml::from_str(&text).unwrap();
        assert!(budget.check(&[object(160)]).is_empty());
    }

    #[test]
    fn unknown_objects_are_told() {
        assert_eq!(
            Budget::default().check(&[object(1)]),
            ["forwarder is not in the budget"]
        );
    }
}

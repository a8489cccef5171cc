//! A signatory: an agency that signs, from one day to another.

use serde::Serialize;

use super::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signatory {
    pub agency: String,
    /// Its name in its own language, or empty.
    pub local_name: String,
    /// ISO 3166-1 alpha-2 in capitals.
    pub country: String,
    /// The agreement under which it takes part, or empty.
    pub framework: String,
    /// It signs letters dated from here …
    pub from: Option<Timestamp>,
    /// … to before here.
    pub until: Option<Timestamp>,
    /// Its place in the roll.
    pub position: i64,
}

/// Those who sign on a day, the recipient's own agencies first, else in the order of the roll. An
/// agency that takes part under two frameworks signs once.
#[must_use]
pub fn signing(roll: &[Signatory], on: Timestamp, country: &str) -> Vec<Signatory> {
    let mut signing: Vec<Signatory> = roll
        .iter()
        .filter(|one| {
            one.from.is_none_or(|from| from <= on) && one.until.is_none_or(|until| on < until)
        })
        .cloned()
        .collect();
    signing.sort_by(|a, b| {
        let rank = |one: &Signatory| (one.country != country, one.position);
        rank(a).cmp(&rank(b)).then_with(|| a.agency.cmp(&b.agency))
    });
    let mut once: Vec<Signatory> = Vec::with_capacity(signing.len());
    for one in signing {
        let same =
            |other: &&mut Signatory| other.agency == one.agency && other.country == one.country;
        match once.iter_mut().find(same) {
            Some(other) if one.framework.is_empty() || other.framework == one.framework => {}
            Some(other) if other.framework.is_empty() => other.framework = one.framework,
            Some(other) => other.framework = format!("{}; {}", other.framework, one.framework),
            None => once.push(one),
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agency(agency: &str, country: &str, position: i64) -> Signatory {
        Signatory {
            agency: agency.to_owned(),
            local_name: String::new(),
            country: country.to_owned(),
            framework: String::new(),
            from: Some(Timestamp(100)),
            until: Some(Timestamp(200)),
            position,
        }
    }

    #[test]
    fn the_own_agency_comes_first_and_the_roll_is_dated() {
        let roll = [
            agency("A", "US", 1),
            agency("B", "JP", 2),
            agency("C", "KR", 3),
        ];
        let names = |on, country| {
            signing(&roll, Timestamp(on), country)
                .into_iter()
                .map(|one| one.agency)
                .collect::<String>()
        };
        assert_eq!(names(150, "JP"), "BAC");
        assert_eq!(names(150, "FR"), "ABC");
        assert_eq!(names(100, "KR"), "CAB");
        assert_eq!(names(99, "JP"), "");
        assert_eq!(names(200, "JP"), "");
    }

    #[test]
    fn an_agency_of_two_frameworks_signs_once() {
        let of = |framework: &str| Signatory {
            framework: framework.to_owned(),
            ..agency("MIC", "JP", 1)
        };
        let roll = [
            of("London Action Plan"),
            of("Seoul-Melbourne MoU"),
            agency("MIC", "KR", 2),
        ];
        let signed = signing(&roll, Timestamp(150), "JP");
        let told: Vec<(&str, &str)> = signed
            .iter()
            .map(|one| (one.country.as_str(), one.framework.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("JP", "London Action Plan; Seoul-Melbourne MoU"),
                ("KR", "")
            ]
        );
    }
}

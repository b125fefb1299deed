use serde_json::{Value, json};

/// A moment as Keystone writes it.
pub(crate) fn iso(seconds: u64) -> String {
    let days = i64::try_from(seconds / 86_400).unwrap();
    let rest = seconds % 86_400;
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000000Z")
}

/// Days since 1970 as a date (the proleptic Gregorian calendar, counted from the first of March).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// A token of user `u1`, unscoped, for an hour from `issued`.
pub(crate) fn token(issued: u64) -> Value {
    json!({"token": {
        "methods": ["password"],
        "user": {"id": "u1", "name": "alice", "domain": {"id": "d1", "name": "acme"}, "password_expires_at": null},
        "audit_ids": ["_HdC-Rj1SPyX1YfPk9B7cg"],
        "issued_at": iso(issued),
        "expires_at": iso(issued + 3600),
    }})
}

/// The same for project `p1` with the roles `reader` and `member`.
pub(crate) fn project_token(issued: u64) -> Value {
    let mut document = token(issued);
    document["token"]["project"] = json!({"id": "p1", "name": "web", "domain": {"id": "d1", "name": "acme"}});
    document["token"]["is_domain"] = json!(false);
    document["token"]["roles"] = json!([{"id": "r2", "name": "reader"}, {"id": "r1", "name": "member"}]);
    document
}

/// The same by the application credential `ac1`.
pub(crate) fn credential_token(issued: u64) -> Value {
    let mut document = project_token(issued);
    document["token"]["methods"] = json!(["application_credential"]);
    document["token"]["application_credential"] = json!({"id": "ac1", "name": "ci", "restricted": true});
    document
}

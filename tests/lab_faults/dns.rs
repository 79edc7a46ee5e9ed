//! Names and resolvers: what is wrong with them, and what only looks so.

use crate::lab::on_each_user;
use crate::lab::plan::RESOLVER_2;

#[test]
fn signatures_that_have_expired() {
    on_each_user("DNSSEC bogus", |lab| {
        let name = lab.bogus_name();
        lab.resolvers(&[RESOLVER_2]);
        for target in [name.to_owned(), format!("dns:{name}")] {
            let seen = lab.check(&[&target]);
            seen.expect_only("dnssec-bogus", &target)
                .severity(&["critical"])
                .of_kind("endpoint")
                .saying("expired");
            seen.expect_state(&target, &["down"]);
        }
    });
}

//! Names: whether the record can be moved, and whether the world would see it.

use super::{Code, blocker, warning};

pub(super) const CODES: &[Code] = &[
    blocker(
        "record-not-found",
        "the zone has no such CNAME",
        "check `zone` and `record`; create the CNAME with its present target first",
    ),
    blocker(
        "record-apex",
        "`@` is the apex of a zone, where DNS allows no CNAME",
        "move a name below the apex, such as `api`",
    )
    .seen_in("clean")
    .with("`--set record=@`"),
    blocker(
        "record-alias",
        "the record is an alias, which a literal target would destroy",
        "move what it stands for instead (Traffic Manager, Front Door), or make it a plain CNAME before the failover",
    ),
    blocker("record-empty", "the record has no target", "give it the target that it should have before the failover"),
    warning(
        "metadata-full",
        "the record has no room to note what was there before",
        "remove some of its metadata; the journal keeps what was there all the same",
    ),
    warning(
        "zone-without-name-servers",
        "Azure names no name servers for the zone",
        "check that this is the public zone that the domain is delegated to",
    ),
    blocker(
        "no-name-servers",
        "there are no name servers that propagation could be seen at",
        "check that this is the public zone, or name its servers in the site's `dns.authoritative`",
    )
    .seen_in("zone-without-name-servers"),
    warning(
        "name-server-unknown",
        "the address of a name server of the zone cannot be had",
        "check the site's `dns.resolvers`, or name the servers in `dns.authoritative`",
    )
    .unread(),
    warning(
        "dns-server-silent",
        "a name server or resolver does not answer this machine",
        "let this machine ask it on port 53 over UDP and TCP, or name other servers in the site's `dns`",
    )
    .unread(),
    blocker(
        "zone-not-delegated",
        "the domain is delegated to other name servers than those of the zone: a flip would be seen by nobody",
        "delegate the domain to the zone's name servers at its registrar, or name the zone that is in use",
    ),
    warning(
        "zone-delegation-differs",
        "the domain is delegated to some of the zone's name servers, or to others too",
        "make the delegation the zone's four name servers, and no others",
    ),
    warning(
        "delegation-unverified",
        "no resolver tells to which name servers the domain is delegated",
        "let this machine ask its resolvers for NS records, or name others in the site's `dns.resolvers`",
    )
    .unread(),
    warning(
        "ttl-exceeds-rto",
        "caches may keep the old target for more than a quarter of the recovery time objective",
        "lower the TTL before the day it matters (`dns.set-ttl`), and wait until the old one has run out",
    ),
];

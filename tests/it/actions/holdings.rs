//! What a service holds, and what it has that no restore brings, read over pages.

use lifeboat::{
    azure::{
        AzureErrorKind,
        apim::get_service,
        apim_content::{ContentNames, list_content},
        inventory::{self, Difference, Inventory, InventoryClass},
    },
    runbook::ResourceId,
    sim::{
        Fault, Scenario,
        scenario::{Identity, VirtualNetwork},
    },
};

use super::{Stage, active, standby};

async fn inventory_of(stage: &Stage, id: &str) -> Inventory {
    let id = ResourceId::parse(id).unwrap();
    let service = get_service(&stage.context.arm, &id).await.unwrap();
    inventory::collect(&stage.context.arm, &id, &service).await
}

#[tokio::test(start_paused = true)]
async fn lists_are_the_same_whatever_their_pages() {
    let mut told = Vec::new();
    for list_page in [1, 2, 100] {
        let stage = Stage::new(Scenario { list_page, ..Scenario::alive() });
        told.push(list_content(&stage.context.arm, &ResourceId::parse(&active()).unwrap()).await.unwrap());
        let asked = stage.world.requests().len();
        assert_eq!(asked > 6, list_page < 100, "{asked} requests at {list_page} a page");
    }
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let expected = ContentNames {
        apis: texts(&["catalog", "orders", "payments"]),
        products: texts(&["internal", "partners"]),
        subscriptions: texts(&["internal-web", "master", "partner-fabrikam", "partner-northwind"]),
        named_values: texts(&["backend-url", "jwt-issuer", "rate-limit"]),
    };
    assert!(told.iter().all(|one| *one == expected), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_lost_lists_nothing_and_says_so() {
    let stage = Stage::new(Scenario::default());
    let error = list_content(&stage.context.arm, &ResourceId::parse(&active()).unwrap()).await.unwrap_err();
    assert_eq!(error.kind, AzureErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn eight_classes_are_told_and_two_like_services_have_the_same() {
    let stage = Stage::new(Scenario::alive());
    let (one, other) = (inventory_of(&stage, &active()).await, inventory_of(&stage, &standby()).await);
    assert_eq!(one.diff(&other), []);
    let mut seen = String::new();
    for class in InventoryClass::ALL {
        let items = one.of(class).unwrap_or_else(|why| panic!("{class}: {why}"));
        assert!(!items.is_empty(), "{class} is empty");
        seen.extend(items.iter().map(|item| format!("{class}: {item}\n")));
    }
    for part in [
        "usage data and reports",
        "Proxy api.contoso.com: ",
        "CN=Contoso Internal Root CA: ",
        "mode: None",
        "system-assigned",
        "to-log-analytics",
        "Gateway.Security.Protocols.Tls10: False",
        "content: published",
        "portal: Enabled",
    ] {
        assert!(seen.contains(part), "{part} is not in\n{seen}");
    }
    assert!(stage.only_read());
}

#[tokio::test(start_paused = true)]
async fn each_difference_is_named_in_its_class() {
    type Change = fn(&mut Scenario);
    let changes: [(InventoryClass, Change); 7] = [
        (InventoryClass::HostnameCertificates, |it| it.standby.hostnames.truncate(1)),
        (InventoryClass::CaCertificates, |it| it.standby.ca_certificates.clear()),
        (InventoryClass::VirtualNetwork, |it| it.standby.virtual_network = VirtualNetwork::External),
        (InventoryClass::ManagedIdentities, |it| it.standby.identity = Identity::Both),
        (InventoryClass::DiagnosticSettings, |it| it.standby.diagnostic_settings.clear()),
        (InventoryClass::CustomProperties, |it| {
            it.standby.custom_properties.values_mut().for_each(|value| "True".clone_into(value));
        }),
        (InventoryClass::DeveloperPortal, |it| it.standby.portal_revisions = 0),
    ];
    for (class, change) in changes {
        let mut scenario = Scenario::alive();
        change(&mut scenario);
        let stage = Stage::new(scenario);
        let differences = inventory_of(&stage, &active()).await.diff(&inventory_of(&stage, &standby()).await);
        assert_eq!(differences.iter().map(|one| one.class).collect::<Vec<_>>(), [class]);
        assert!(matches!(differences[0].difference, Difference::Items { .. }), "{differences:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_class_that_cannot_be_read_says_why_and_the_others_are_there() {
    let fault = Fault::status(403, "AuthorizationFailed").on("GET", "diagnosticSettings");
    let stage = Stage::new(Scenario { faults: vec![fault], ..Scenario::alive() });
    let one = inventory_of(&stage, &active()).await;
    assert!(one.of(InventoryClass::DiagnosticSettings).unwrap_err().contains("AuthorizationFailed"));
    assert!(one.of(InventoryClass::DeveloperPortal).is_ok());
}

//! The kinds of the core group.

use super::{
    Generation, Kind,
    Subresource::{Binding, Eviction, Finalize, Log, Status, Token},
    events, texts,
};
use crate::rules::{self, MetadataRules, NameForm, Repeats};

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        config_map(),
        events::event(),
        node(),
        pod(),
        secret(),
        service(),
        service_account(),
    ]
}

/// Namespaces; they decide where the others may live.
pub(super) fn namespace() -> Kind {
    Kind {
        short_names: texts(["ns"]),
        namespaced: false,
        metadata: MetadataRules::of(NameForm::Label, Repeats::Change),
        delete_collection: false,
        subresources: vec![Finalize, Status],
        default: rules::default_namespace,
        selectable: texts(["status.phase"]),
        prepare: rules::prepare_namespace,
        validate: rules::validate_namespace,
        ..Kind::new("", "v1", "Namespace", super::NAMESPACES)
    }
}

fn config_map() -> Kind {
    Kind {
        short_names: texts(["cm"]),
        validate: rules::validate_config_map,
        ..Kind::new("", "v1", "ConfigMap", "configmaps")
    }
}

fn node() -> Kind {
    Kind {
        short_names: texts(["no"]),
        namespaced: false,
        subresources: vec![Status],
        created_with_status: true,
        selectable: texts(["spec.unschedulable"]),
        prepare: rules::prepare_node,
        ..Kind::new("", "v1", "Node", "nodes")
    }
}

fn pod() -> Kind {
    Kind {
        short_names: texts(["po"]),
        categories: texts(["all"]),
        subresources: vec![Binding, Eviction, Log, Status],
        generation: Generation::Spec,
        kept_by_status: &["ownerReferences"],
        default: rules::default_pod,
        selectable: texts([
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ]),
        admit: rules::admit_pod,
        prepare: rules::prepare_pod,
        validate: rules::validate_pod,
        ..Kind::new("", "v1", "Pod", "pods")
    }
}

fn secret() -> Kind {
    Kind {
        selectable: texts(["type"]),
        default: rules::default_secret,
        validate: rules::validate_secret,
        ..Kind::new("", "v1", "Secret", "secrets")
    }
}

fn service() -> Kind {
    Kind {
        short_names: texts(["svc"]),
        categories: texts(["all"]),
        create_on_update: true,
        subresources: vec![Status],
        metadata: MetadataRules::of(NameForm::Label, Repeats::Change),
        default: rules::default_service,
        selectable: texts(["spec.clusterIP", "spec.type"]),
        prepare: rules::prepare_service,
        claim: rules::claim_addresses,
        validate: rules::validate_service,
        ..Kind::new("", "v1", "Service", "services")
    }
}

fn service_account() -> Kind {
    Kind {
        short_names: texts(["sa"]),
        subresources: vec![Token],
        ..Kind::new("", "v1", "ServiceAccount", "serviceaccounts")
    }
}

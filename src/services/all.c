/* all.c - the services, in the order of their ids. */
#include "services/engine.h"

const struct service_ops *const all_services[SERVICE_COUNT] = {
    [SERVICE_CATALOG] = &service_catalog,
    [SERVICE_APIEXT] = &service_apiext,
    [SERVICE_SIMPLEQUEUE] = &service_simplequeue,
    [SERVICE_POLICY_ENGINE] = &service_policy_engine,
    [SERVICE_ANALYZER] = &service_analyzer,
    [SERVICE_KUBERNETES_WEBHOOK] = &service_kubernetes_webhook,
};

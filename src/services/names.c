#include "services/config.h"

const struct service_name service_names[SERVICE_COUNT] = {
    [SERVICE_CATALOG] = {"catalog", "anchore-catalog", "catalog", 8082},
    [SERVICE_APIEXT] = {"apiext", "anchore-api", "API", 8228},
    [SERVICE_SIMPLEQUEUE] = {"simplequeue", "anchore-simplequeue", "simple queue", 8083},
    [SERVICE_POLICY_ENGINE] = {"policy_engine", "anchore-policy-engine", "policy engine", 8087},
    [SERVICE_ANALYZER] = {"analyzer", "anchore-worker", "worker", 8084},
    [SERVICE_KUBERNETES_WEBHOOK] = {"kubernetes_webhook", "anchore-kubernetes-webhook",
                                    "Kubernetes webhook", 8338},
};

int service_by_name(str name)
{
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (str_eq(name, str_z(service_names[i].key)) ||
            str_eq(name, str_z(service_names[i].process)))
            return i;
    }
    return -1;
}

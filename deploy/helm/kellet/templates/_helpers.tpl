{{- define "kellet.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 44 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kellet.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "kellet.labels" -}}
{{ include "kellet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "kellet.secret" -}}
{{- default (include "kellet.fullname" .) .Values.secrets.existingSecret -}}
{{- end -}}

{{- define "kellet.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "kellet.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "kellet.databaseHost" -}}
{{- if .Values.postgresql.enabled -}}
{{- include "kellet.fullname" . }}-postgresql
{{- else -}}
{{- required "database.host: the name of your PostgreSQL, or postgresql.enabled=true" .Values.database.host -}}
{{- end -}}
{{- end -}}

{{/* The six services by their names in values.yaml: what kellet calls them, the name's end here, the port. */}}
{{- define "kellet.services" -}}
api: { service: apiext, suffix: api, port: 8228 }
catalog: { service: catalog, suffix: catalog, port: 8082 }
policyEngine: { service: policy_engine, suffix: policy-engine, port: 8087 }
simplequeue: { service: simplequeue, suffix: simplequeue, port: 8083 }
webhook: { service: kubernetes_webhook, suffix: kubernetes-webhook, port: 8338 }
worker: { service: analyzer, suffix: worker, port: 8084 }
{{- end -}}

{{/* config.yaml: the same for all services, under the values of .Values.config. */}}
{{- define "kellet.config" -}}
log_level: {{ .Values.logLevel }}
host_id: "${ANCHORE_POD_NAME}"
default_admin_password: "${ANCHORE_ADMIN_PASSWORD}"
default_admin_email: {{ .Values.adminEmail | quote }}
allow_awsecr_iam_auto: true
keys:
  secret: "${ANCHORE_AUTH_SECRET}"
user_authentication:
  oauth:
    enabled: true
    default_token_expiration_seconds: 3600
metrics:
  enabled: {{ .Values.metrics.enabled }}
  auth_disabled: {{ .Values.metrics.authDisabled }}
credentials:
  database:
    db_connect: "postgresql://${ANCHORE_DB_USER}:${ANCHORE_DB_PASSWORD}@${ANCHORE_DB_HOST}:${ANCHORE_DB_PORT}/${ANCHORE_DB_NAME}"
    db_connect_args:
      timeout: 120
      sslmode: {{ ternary "disable" .Values.database.sslmode .Values.postgresql.enabled }}
    db_pool_size: 4
services:
{{- range $key, $s := include "kellet.services" . | fromYaml }}
  {{ $s.service }}:
    enabled: true
    endpoint_hostname: "${ANCHORE_ENDPOINT_HOSTNAME}"
    listen: 0.0.0.0
    port: {{ $s.port }}
{{- if eq $key "webhook" }}
    require_auth: false
{{- if include "kellet.tls" $ }}
    ssl_enable: true
    ssl_cert: /tls/tls.crt
    ssl_key: /tls/tls.key
{{- end }}
    admission: {{- toYaml $.Values.admission.settings | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* "yes" when the webhook's service speaks TLS itself; the secret with tls.crt and tls.key. */}}
{{- define "kellet.tls" -}}
{{- if or .Values.webhook.tls.certManager .Values.webhook.tls.existingSecret -}}yes{{- end -}}
{{- end -}}
{{- define "kellet.tlsSecret" -}}
{{- default (printf "%s-webhook-tls" (include "kellet.fullname" .)) .Values.webhook.tls.existingSecret -}}
{{- end -}}
{{- define "kellet.probeScheme" -}}
{{- if and (eq (last .) "webhook") (include "kellet.tls" (first .)) }}, scheme: HTTPS{{ end -}}
{{- end -}}
{{- define "kellet.tlsMount" -}}
{{- if and (eq (last .) "webhook") (include "kellet.tls" (first .)) -}}
- { name: tls, mountPath: /tls, readOnly: true }
{{- end -}}
{{- end -}}
{{- define "kellet.tlsVolume" -}}
{{- if and (eq (last .) "webhook") (include "kellet.tls" (first .)) -}}
- name: tls
  secret: { secretName: {{ include "kellet.tlsSecret" (first .) }}, defaultMode: 288 }
{{- end -}}
{{- end -}}

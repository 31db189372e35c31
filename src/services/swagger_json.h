/* swagger_json.h - share/api/swagger.yaml as JSON, made by script/embed-swagger at build time. */
#ifndef KELLET_SERVICES_SWAGGER_JSON_H
#define KELLET_SERVICES_SWAGGER_JSON_H

extern const char swagger_json[];
extern const unsigned swagger_json_size;

#endif

/** The ports of flux-pod in every pod, by their names in the Service: the defaults of FLUX_POD_PORT and FLUX_POD_HTTP. */
export const ports = { overlay: 8050, http: 8051 } as const;

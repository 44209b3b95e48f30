/** The certificate as the manifests of `flux-pod render` mount it. */
export const defaultCurveCert = '/etc/flux-pod/curve/curve.cert';

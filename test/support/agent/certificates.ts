/** Certificates with keys that were thrown away when they were made: no instance ever used them. */

/** As `flux keygen --name=mycurve --meta=foo=bar` of flux-core 0.88 wrote it. */
export const byFluxKeygen = `#  ZeroMQ CURVE **Secret** Certificate
#  DO NOT DISTRIBUTE

metadata
    name = "mycurve"
    keygen.flux-core-version = "0.88.0-59-g4a5e79f56"
    keygen.hostname = "vm"
    foo = "bar"
    keygen.time = "2026-11-24T04:59:02"
    keygen.userid = "0"
    keygen.zmq-version = "4.3.4"
curve
    public-key = "zE)#]EAT?b!Sp@h*V5[63=N=-037:uR.[58dmY>S"
    secret-key = "nv-v@h40!:Byh<^qX&5:PSBTNKsY@90LccHikOhr"
`;

/** The pair of the server in zmq_curve(7), "TEST KEY VALUES". */
export const testKeys = {
  publicKey: 'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7',
  secretKey: 'JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6',
};

/** In the manner of CZMQ's zcert_save_secret(), with metadata of which Flux's parser takes only the first two lines. */
export const byCzmq = `#   ****  Generated on 2024-05-17 09:12:44 by CZMQ  ****
#   ZeroMQ CURVE **Secret** Certificate
#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.
    
metadata
    email = "ada@example.org"
    role = "compiles (a lot)"
    name = "Ada Löwe"
    made_by = "zcert"
    motto = "it's fine, really"
    note = "${'x'.repeat(300)}"
curve
    public-key = "${testKeys.publicKey}"
    secret-key = "${testKeys.secretKey}"
`;

import type { CertificateNames } from "../pki/certificate-names.ts";

/** Whom the serving certificate speaks for: the Service, as the API server and proxies call it, and this machine. */
export function servingNames(
	service: string,
	namespace: string,
): CertificateNames {
	const short = `${service}.${namespace}`;
	return {
		dns: [`${short}.svc`, short, `${short}.svc.cluster.local`, "localhost"],
		ips: ["127.0.0.1"],
		uris: [],
	};
}

import { checkLabelKeys } from "./check-labels.ts";
import { each } from "./each.ts";
import type {
	ExternalEndpoint,
	ExternalPort,
	ExternalServiceSpec,
} from "./external-service.ts";
import type { FieldPath } from "./field-path.ts";
import { addressBits, isSubnet } from "./ip-address.ts";
import { isPemCertificates } from "./pem-certificates.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";

const SPEC: FieldPath = ["spec"];

/** Reports what schema and CEL cannot say about an ExternalService. */
export function checkExternalService(
	spec: Partial<ExternalServiceSpec>,
	report: Report,
): void {
	each(spec.hosts, [...SPEC, "hosts"], (host, path) => {
		if (addressBits(host) === undefined) return;
		report(
			path,
			`${printValue(host)} is an address and not a name. Give the service a name, and put the address into addresses or endpoints.`,
		);
	});
	each(spec.addresses, [...SPEC, "addresses"], (address, path) => {
		if (isSubnet(address)) return;
		report(
			path,
			`${printValue(address)} is neither an address nor a CIDR. Write one such as "240.0.0.1" or "240.0.0.0/24".`,
		);
	});
	checkPorts(spec, report);
	each(spec.endpoints, [...SPEC, "endpoints"], (endpoint, path) =>
		checkEndpoint(endpoint, spec, path, report),
	);
}

function checkPorts(spec: Partial<ExternalServiceSpec>, report: Report): void {
	const numbers = new Set<number>();
	const names = new Set<string>();
	each(spec.ports, [...SPEC, "ports"], (port, path) => {
		if (numbers.has(port.number)) {
			report(
				[...path, "number"],
				`There is another port ${port.number} in the list. Give each port its own number, and use targetPort if the endpoints differ.`,
			);
		}
		if (names.has(port.name)) {
			report(
				[...path, "name"],
				`There is another port named ${port.name} in the list. Give each port its own name.`,
			);
		}
		numbers.add(port.number);
		names.add(port.name);
		checkTls(port, spec, path, report);
	});
}

function checkTls(
	port: ExternalPort,
	spec: Partial<ExternalServiceSpec>,
	path: FieldPath,
	report: Report,
): void {
	const { tls, protocol } = port;
	if (tls === undefined) return;
	const at = [...path, "tls"];
	if (protocol === "HTTPS" || protocol === "TLS") {
		report(
			at,
			`With protocol ${protocol} workloads encrypt themselves, so the proxy would encrypt twice. Remove tls, or set protocol to what workloads speak, such as HTTP.`,
		);
	}
	const isCalledByOneName =
		spec.hosts?.every((host) => host?.startsWith("*") === false) ?? true;
	if (protocol === "TCP" && tls.sni === undefined && !isCalledByOneName) {
		report(
			[...at, "sni"],
			"A TCP connection does not say which of the wildcard's names it is for. Set sni.",
		);
	}
	if (tls.caCertificates !== undefined && tls.insecureSkipVerify) {
		report(
			[...at, "insecureSkipVerify"],
			"Every certificate is accepted, so caCertificates have no effect. Remove one of them.",
		);
	} else if (tls.subjectAltNames !== undefined && tls.insecureSkipVerify) {
		report(
			[...at, "insecureSkipVerify"],
			"Every certificate is accepted, so subjectAltNames have no effect. Remove one of them.",
		);
	}
	if (
		tls.caCertificates !== undefined &&
		!isPemCertificates(tls.caCertificates)
	) {
		report(
			[...at, "caCertificates"],
			'The text is not a list of certificates in PEM form. Each begins with "-----BEGIN CERTIFICATE-----" and must be complete.',
		);
	}
}

function checkEndpoint(
	endpoint: ExternalEndpoint,
	spec: Partial<ExternalServiceSpec>,
	path: FieldPath,
	report: Report,
): void {
	const { address } = endpoint;
	if (addressBits(address) === undefined) {
		if (spec.resolution === "Static") {
			report(
				[...path, "address"],
				`${printValue(address)} is not an IP address. Write one, or set resolution to DNS.`,
			);
		} else if (!isHostname(address)) {
			report(
				[...path, "address"],
				`${printValue(address)} is neither an IP address nor a host name. Write one such as "10.1.2.3" or "db.example.com".`,
			);
		}
	}
	if (endpoint.labels) {
		checkLabelKeys(endpoint.labels, [...path, "labels"], report);
	}
	const names = spec.ports?.map((port) => port?.name);
	for (const name of Object.keys(endpoint.ports ?? {})) {
		if (names === undefined || names.includes(name)) continue;
		report(
			[...path, "ports", { key: name }],
			`The service has no port named ${printValue(name)}. Use one of ${names.filter((known) => known !== undefined).join(", ")}.`,
		);
	}
}

function isHostname(text: string): boolean {
	return (
		/^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?)*\.?$/i.test(
			text,
		) && !/^[\d.]+$/.test(text)
	);
}

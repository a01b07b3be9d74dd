import type { Schema, Values } from "../settings/setting.ts";
import type { Proxy, ProxyAddresses } from "../xds/proxy.ts";

/** Options that say which proxy is meant and where it accepts traffic. */
export const proxyOptions = {
	proxy: {
		type: "text",
		placeholder: "NAMESPACE/NAME",
		help: "Workload that the proxy stands beside",
	},
	gateway: {
		type: "text",
		placeholder: "[NAMESPACE/]NAME",
		help: "Gateway that the proxy is, instead of --proxy; the namespace is `default` when left out",
	},
	grpc: {
		type: "boolean",
		help: "Make the bootstrap of a gRPC client without a proxy (GRPC_XDS_BOOTSTRAP); it holds the token",
	},
	captured: {
		type: "boolean",
		help: "Traffic reaches the proxy by iptables; without it, by the addresses below",
	},
	outbound: {
		type: "address",
		help: "Where the proxy accepts what HTTP_PROXY sends",
	},
	inbound: {
		type: "text",
		repeatable: true,
		placeholder: "LISTEN=APPLICATION[=PROTOCOL]",
		help: "Listener in front of a port of the application, both as IP:PORT; PROTOCOL is http, http2, grpc, tcp, tls or sniffed",
	},
	tcp: {
		type: "text",
		repeatable: true,
		placeholder: "HOST:PORT=LISTEN",
		help: "Local listener for a TCP service",
	},
	listen: {
		type: "address",
		repeatable: true,
		help: "Where a gateway accepts",
	},
	suffix: {
		type: "text",
		default: "",
		help: "Tells several proxies of one workload apart",
	},
} as const satisfies Schema;

/** Takes sentences about what cannot be understood. */
export type Report = (problem: string) => void;

/** What the options say about a proxy; of use only when nothing was reported. */
export interface DescribedProxy {
	readonly kind: Proxy["kind"];
	/** `namespace/name`. */
	readonly workload: string;
	readonly attachment: Proxy["attachment"];
	readonly addresses: ProxyAddresses;
}

type ProxyValues = Values<typeof proxyOptions>;

/** Reads which proxy is meant; every mistake is reported. */
export function describeProxy(
	values: ProxyValues,
	report: Report,
): DescribedProxy {
	return {
		kind: kindOf(values, report),
		workload: workloadOf(values, report),
		attachment: values.captured ? "captured" : "explicit",
		addresses: addressesOf(values, report),
	};
}

function kindOf(values: ProxyValues, report: Report): Proxy["kind"] {
	if ((values.proxy === undefined) === (values.gateway === undefined))
		report("Name either a workload with --proxy or a gateway with --gateway.");
	if (values.gateway === undefined) return values.grpc ? "grpc" : "sidecar";
	if (values.grpc) report("--grpc goes with --proxy, not with --gateway.");
	if (values.listen.length === 0)
		report("A gateway needs --listen, like --listen 127.0.0.1:8080.");
	return "gateway";
}

function workloadOf(values: ProxyValues, report: Report): string {
	const { proxy, gateway } = values;
	const name =
		proxy ??
		(gateway?.includes("/") === false ? `default/${gateway}` : gateway);
	if (name !== undefined && !/^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/.test(name))
		report(
			`${JSON.stringify(name)} is not NAMESPACE/NAME in lower case, like default/reviews-v1.`,
		);
	if (!/^[A-Za-z0-9._-]{0,63}$/.test(values.suffix))
		report("--suffix takes letters, digits, dots, dashes and underscores.");
	return name ?? "";
}

function addressesOf(values: ProxyValues, report: Report): ProxyAddresses {
	if (values.captured && values.outbound !== undefined)
		report("--outbound is for explicit proxies, not with --captured.");
	return {
		...(values.outbound === undefined ? {} : { outbound: values.outbound }),
		inbound: values.inbound.map((text) => {
			const [listen = "", application = "", protocol = "sniffed", ...more] =
				text.split("=");
			const known = inboundProtocols.find((one) => one === protocol);
			if (application === "" || more.length > 0 || known === undefined)
				report(
					`--inbound is ${JSON.stringify(text)}; expected is LISTEN=APPLICATION=PROTOCOL with one of ${inboundProtocols.join(", ")}, like 127.0.0.1:9081=127.0.0.1:9080=http.`,
				);
			return { listen, application, protocol: known ?? "sniffed" };
		}),
		tcp: values.tcp.map((text) => {
			const [service = "", listen = "", ...more] = text.split("=");
			if (listen === "" || more.length > 0)
				report(
					`--tcp is ${JSON.stringify(text)}; expected is HOST:PORT=LISTEN, like mysql.default.svc.cluster.local:3306=127.0.0.1:3306.`,
				);
			return { service, listen };
		}),
		gateway: values.listen.map((listen) => ({ listen })),
	};
}

const inboundProtocols = [
	"http",
	"http2",
	"grpc",
	"tcp",
	"tls",
	"sniffed",
] as const;

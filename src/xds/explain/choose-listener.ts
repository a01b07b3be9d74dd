import { isIP } from "node:net";
import type { Listener } from "../../gen/envoy/envoy/config/listener/v3/listener_pb.js";
import {
	capturedListenerName,
	parseClusterName,
	portRouteName,
} from "../generate/names.ts";
import type { Connection } from "./connection.ts";
import { matchDomain } from "./match-domain.ts";
import { printAddress } from "./print-address.ts";
import type { ProxyConfig, Sourced } from "./proxy-config.ts";
import type { Target } from "./target.ts";

/** How traffic comes to the proxy that is asked. */
export type Attachment = "captured" | "explicit" | "gateway";

/** The listener that takes a client's connection, or why there is none. */
export type ChosenListener =
	| {
			readonly ok: true;
			readonly listener: Sourced<Listener>;
			readonly connection: Connection;
	  }
	| { readonly ok: false; readonly reason: string };

/** Finds the listener to which a client's connection comes. */
export function chooseListener(
	config: ProxyConfig,
	target: Target,
	attachment: Attachment,
): ChosenListener {
	switch (attachment) {
		case "gateway":
			return gatewayListener(config, target);
		case "explicit":
			return target.scheme === "tcp"
				? localListener(config, target)
				: forwardProxy(config, target);
		case "captured":
			return capturedListener(config, target);
	}
}

function gatewayListener(config: ProxyConfig, target: Target): ChosenListener {
	const all = [...config.listeners.values()];
	const listener =
		all.find(({ message }) => portOf(message) === target.port) ?? all[0];
	if (listener === undefined)
		return refuse(
			"The gateway listens nowhere: its bootstrap has no --listen.",
		);
	return found(listener, plainHttp(portOf(listener.message)));
}

function forwardProxy(config: ProxyConfig, target: Target): ChosenListener {
	const listener = config.listeners.get("outbound");
	return listener === undefined
		? refuse(
				"The sidecar has no forward proxy: its bootstrap has no --outbound, so nothing that the application sends reaches it.",
			)
		: found(listener, plainHttp(target.port));
}

function localListener(config: ProxyConfig, target: Target): ChosenListener {
	for (const listener of config.listeners.values()) {
		const { name, address } = listener.message;
		const colon = name.lastIndexOf(":");
		const isMeant =
			printAddress(address) === `${target.host}:${target.port}` ||
			(name.startsWith("tcp_") &&
				Number(name.slice(colon + 1)) === target.port &&
				means(target.host, name.slice("tcp_".length, colon)));
		if (isMeant) return found(listener, bytes(target, undefined));
	}
	return refuse(
		`The sidecar has no local port for ${target.host}:${target.port}: its bootstrap has no --tcp ${target.host}:${target.port}=ADDRESS.`,
	);
}

function capturedListener(config: ProxyConfig, target: Target): ChosenListener {
	const addresses = addressesOf(config, target);
	const names = [...addresses, "0.0.0.0"].map((address) =>
		capturedListenerName(address, target.port),
	);
	const name = names.find((one) => config.listeners.has(one));
	const listener = config.listeners.get(name ?? "virtual_outbound");
	if (listener === undefined)
		return refuse("The sidecar has no listener for captured traffic.");
	const [destination] = addresses;
	return found(
		listener,
		target.scheme === "http"
			? { ...plainHttp(target.port), destination }
			: bytes(target, destination),
	);
}

/**
 * The addresses that the host stands for, as far as the proxy was told: those
 * among the names of its virtual host, or those of listeners for its cluster.
 */
function addressesOf(config: ProxyConfig, target: Target): readonly string[] {
	if (isIP(target.host) !== 0) return [target.host];
	const hosts = [...config.virtualHosts.values()]
		.map(({ message }) => message)
		.filter(({ name }) => name.startsWith(`${portRouteName(target.port)}/`));
	const inSotw =
		config.routes.get(portRouteName(target.port))?.message.virtualHosts ?? [];
	const host = matchDomain([...hosts, ...inSotw], target.host, true)?.host;
	const known = (host?.domains ?? [])
		.map((domain) => domain.replaceAll(/[[\]]/g, ""))
		.filter((domain) => isIP(domain) !== 0);
	if (known.length > 0) return known;
	return [...config.listeners.keys()].flatMap((name) => {
		const underscore = name.lastIndexOf("_");
		if (Number(name.slice(underscore + 1)) !== target.port) return [];
		return hostnamesOf(config, name).some((hostname) =>
			means(target.host, hostname),
		)
			? [name.slice(0, underscore)]
			: [];
	});
}

/** Hostnames of the services that the listener of this name was made for. */
function hostnamesOf(config: ProxyConfig, listener: string): readonly string[] {
	const origins = config.listeners.get(listener)?.origins ?? [];
	return [...config.clusters].flatMap(([name, cluster]) => {
		const hostname = parseClusterName(name)?.hostname;
		const same = cluster.origins.some((ref) =>
			origins.some(
				(one) =>
					one.kind === ref.kind &&
					one.namespace === ref.namespace &&
					one.name === ref.name,
			),
		);
		return same && hostname !== undefined ? [hostname] : [];
	});
}

/** Whether a name, short or whole, may mean this hostname. */
function means(name: string, hostname: string): boolean {
	const lower = name.toLowerCase();
	return hostname === lower || hostname.startsWith(`${lower}.`);
}

function plainHttp(port: number): Connection {
	return {
		destination: undefined,
		port,
		serverName: "",
		transport: "raw_buffer",
		applicationProtocols: ["http/1.1"],
	};
}

function bytes(target: Target, destination: string | undefined): Connection {
	const tls = target.scheme === "https";
	return {
		destination,
		port: target.port,
		serverName: tls ? target.host : "",
		transport: tls ? "tls" : "raw_buffer",
		applicationProtocols: [],
	};
}

function portOf(listener: Listener): number {
	const address = printAddress(listener.address);
	return Number(address.slice(address.lastIndexOf(":") + 1));
}

function found(
	listener: Sourced<Listener>,
	connection: Connection,
): ChosenListener {
	return { ok: true, listener, connection };
}

function refuse(reason: string): ChosenListener {
	return { ok: false, reason };
}

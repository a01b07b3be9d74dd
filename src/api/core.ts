import type { ObjectBase } from "./metadata.ts";

/** The used fields of a Kubernetes Namespace. */
export interface Namespace extends ObjectBase<"Namespace"> {}

/** The used fields of a Kubernetes Node: its labels carry region and zone. */
export interface Node extends ObjectBase<"Node"> {}

/** The used fields of a Kubernetes ServiceAccount. */
export interface ServiceAccount extends ObjectBase<"ServiceAccount"> {}

/** One port of a Kubernetes Service. */
export interface ServicePort {
	readonly name: string;
	readonly port: number;
	readonly protocol: "TCP" | "UDP" | "SCTP";
	readonly appProtocol?: string;
	/** Port number or container port name; the port itself when absent. */
	readonly targetPort: number | string;
}

/** The used fields of a Kubernetes Service. */
export interface Service extends ObjectBase<"Service"> {
	readonly spec: {
		readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
		/** Cluster IPs without `None`; empty for headless and ExternalName Services. */
		readonly clusterIPs: readonly string[];
		/** True when `clusterIP` is `None`. */
		readonly headless: boolean;
		readonly externalName?: string;
		readonly ports: readonly ServicePort[];
		/** Empty when endpoints are managed by hand. */
		readonly selector: Readonly<Record<string, string>>;
	};
}

/** One endpoint of an EndpointSlice. */
export interface SliceEndpoint {
	readonly addresses: readonly string[];
	readonly ready: boolean;
	readonly serving: boolean;
	readonly terminating: boolean;
	readonly zone?: string;
	readonly nodeName?: string;
	/** Name of the Pod behind the endpoint, in the slice's namespace. */
	readonly pod?: string;
}

/** The used fields of a Kubernetes EndpointSlice. */
export interface EndpointSlice extends ObjectBase<"EndpointSlice"> {
	/** From the label `kubernetes.io/service-name`; empty when it has none. */
	readonly serviceName: string;
	readonly addressType: "IPv4" | "IPv6" | "FQDN";
	readonly ports: readonly {
		readonly name: string;
		readonly port: number;
		readonly protocol: "TCP" | "UDP" | "SCTP";
		readonly appProtocol?: string;
	}[];
	readonly endpoints: readonly SliceEndpoint[];
}

/** Annotation of a pod that was asked to be injected and is not: `REASON: sentence`. */
export const notInjectedAnnotation = "lateen.dev/not-injected";

/** What makes a pod, and would make another in its place. */
export interface PodOwner {
	readonly apiVersion: string;
	readonly kind: string;
	readonly name: string;
	readonly uid: string;
}

/** The used fields of a Kubernetes Pod. */
export interface Pod extends ObjectBase<"Pod"> {
	readonly ips: readonly string[];
	/** Whether it was told to go (`metadata.deletionTimestamp`); its containers may run on for a while. */
	readonly terminating: boolean;
	readonly serviceAccount: string;
	readonly nodeName?: string;
	/** Named and numbered container ports. */
	readonly ports: readonly {
		readonly name: string;
		readonly containerPort: number;
	}[];
	/** Of a pod that injection left as it is; absent of all others. */
	readonly notInjected?: {
		/** What its annotation says: `REASON: sentence`, unless somebody else wrote it. */
		readonly because: string;
		readonly owner?: PodOwner;
	};
}

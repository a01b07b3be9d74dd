import { ObjectClient } from "../../src/kube/object-client.ts";
import { connectTo, type ObservedConnection } from "./kube-client.ts";
import {
	type KubeCluster,
	newNamespace,
	sharedCluster,
} from "./kube-cluster.ts";

/** A place on a real API server for the tests of one suite. */
export interface ApiServerPlace {
	readonly cluster: KubeCluster;
	/** As the cluster's administrator. */
	readonly connection: ObservedConnection;
	readonly client: ObjectClient;
	/** New for each test. */
	readonly namespace: string;
}

/** Has a suite run on the shared cluster, each test in a namespace of its own; to be called right inside `describe`, and read inside tests. */
export function apiServerPlace(): ApiServerPlace {
	let cluster: KubeCluster | undefined;
	let connection: ObservedConnection | undefined;
	let client: ObjectClient | undefined;
	let namespace: string | undefined;
	before(async function () {
		this.timeout(600_000);
		cluster = await sharedCluster();
		connection = await connectTo(cluster.kubeconfig);
		client = new ObjectClient(connection);
	});
	after(() => connection?.[Symbol.asyncDispose]());
	beforeEach(async () => {
		namespace = await newNamespace(there(cluster));
	});
	return {
		get cluster() {
			return there(cluster);
		},
		get connection() {
			return there(connection);
		},
		get client() {
			return there(client);
		},
		get namespace() {
			return there(namespace);
		},
	};
}

function there<T>(value: T | undefined): T {
	if (value === undefined) throw new Error("It is there only inside a test.");
	return value;
}

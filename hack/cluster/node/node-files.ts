/** How files and directories of images are laid out for containers. */
export type Snapshotter = "overlayfs" | "native";

/** The image of the process that keeps a pod's namespaces. */
export const PAUSE_IMAGE = "lateen.dev/pause:1";

/** containerd's configuration; its folders and its socket are where it has them by itself. */
export function printContainerdConfig(options: {
	/** Folder of the CNI plugins. */
	readonly plugins: string;
	/** Folder of the network's configuration. */
	readonly network: string;
	readonly snapshotter: Snapshotter;
}): string {
	return `version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Not every machine's root may make a process less likely to be killed.
  restrict_oom_score_adj = true
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${options.snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${options.plugins}"
    conf_dir = "${options.network}"
`;
}

/**
 * The network of pods: each has a line of its own to the node, which routes, so
 * that all their traffic passes the node's rules, whatever the kernel does about
 * bridges.
 */
export function printCniConfig(podRanges: readonly string[]): string {
	return JSON.stringify({
		cniVersion: "1.0.0",
		name: "lateen",
		plugins: [
			// Else each pod waits a second for neighbours that have its address. The
			// setting is made before there is an interface, by a plugin that insists
			// on coming after another.
			{ type: "loopback" },
			...(podRanges.some(isIpv6)
				? [
						{
							type: "tuning",
							sysctl: { "net.ipv6.conf.default.accept_dad": "0" },
						},
					]
				: []),
			{
				type: "ptp",
				ipMasq: false,
				ipam: {
					type: "host-local",
					ranges: podRanges.map((subnet) => [{ subnet }]),
					routes: podRanges.map((subnet) => ({
						dst: isIpv6(subnet) ? "::/0" : "0.0.0.0/0",
					})),
				},
			},
			{ type: "portmap", capabilities: { portMappings: true } },
		],
	});
}

function isIpv6(address: string): boolean {
	return address.includes(":");
}

/** The kubelet's configuration, as JSON, which is YAML. */
export function printKubeletConfig(options: {
	/** Path of the certificate that it serves with. */
	readonly cert: string;
	readonly key: string;
	/** Path of the certificate of who signs clients' certificates. */
	readonly ca: string;
	/** Name of the cgroup for all pods. */
	readonly cgroup: string;
	/** containerd's. */
	readonly socket: string;
	/** Path of the resolv.conf for pods that use the node's. */
	readonly resolver: string;
	/** Address of the Service that answers names. */
	readonly dns: string;
	readonly pluginFolder: string;
}): string {
	return JSON.stringify({
		apiVersion: "kubelet.config.k8s.io/v1beta1",
		kind: "KubeletConfiguration",
		authentication: {
			anonymous: { enabled: false },
			webhook: { enabled: true },
			x509: { clientCAFile: options.ca },
		},
		authorization: { mode: "Webhook" },
		tlsCertFile: options.cert,
		tlsPrivateKeyFile: options.key,
		containerRuntimeEndpoint: `unix://${options.socket}`,
		cgroupDriver: "cgroupfs",
		cgroupRoot: `/${options.cgroup}`,
		// Older machines have no other.
		failCgroupV1: false,
		failSwapOn: false,
		enforceNodeAllocatable: [],
		clusterDNS: [options.dns],
		clusterDomain: "cluster.local",
		resolvConf: options.resolver,
		volumePluginDir: options.pluginFolder,
		// How full the machine's disk is has nothing to do with us.
		evictionHard: {
			"nodefs.available": "0%",
			"nodefs.inodesFree": "0%",
			"imagefs.available": "0%",
			"imagefs.inodesFree": "0%",
		},
		imageGCHighThresholdPercent: 100,
		// Waits for a restart that is known to be of use.
		crashLoopBackOff: { maxContainerRestartPeriod: "5s" },
		featureGates: { KubeletCrashLoopBackOffMax: true },
	});
}

/** CoreDNS's configuration: the cluster's names, those of a file, and none else. */
export function printCorefile(options: {
	/** Where it listens. */
	readonly address: string;
	readonly kubeconfig: string;
	/** Path of a file like /etc/hosts for names outside of the cluster; read again when it changes. */
	readonly hosts: string;
}): string {
	return `.:53 {
    bind ${options.address}
    errors
    ready ${options.address}:8181
    hosts ${options.hosts} {
        ttl 1
        reload 500ms
        fallthrough
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig ${options.kubeconfig} lateen
        pods insecure
        ttl 1
    }
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
`;
}

/** The objects by which pods find CoreDNS, and it what it answers. */
export function printNameService(service: string, address: string): string {
	const objects = [
		{
			apiVersion: "rbac.authorization.k8s.io/v1",
			kind: "ClusterRole",
			metadata: { name: "system:coredns" },
			rules: [
				{
					apiGroups: [""],
					resources: ["services", "pods", "namespaces", "endpoints"],
					verbs: ["list", "watch"],
				},
				{
					apiGroups: ["discovery.k8s.io"],
					resources: ["endpointslices"],
					verbs: ["list", "watch"],
				},
			],
		},
		{
			apiVersion: "rbac.authorization.k8s.io/v1",
			kind: "ClusterRoleBinding",
			metadata: { name: "system:coredns" },
			roleRef: {
				apiGroup: "rbac.authorization.k8s.io",
				kind: "ClusterRole",
				name: "system:coredns",
			},
			subjects: [
				{
					apiGroup: "rbac.authorization.k8s.io",
					kind: "User",
					name: "system:coredns",
				},
			],
		},
		{
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "kube-dns", namespace: "kube-system" },
			spec: {
				clusterIP: service,
				ports: [
					{ name: "dns", port: 53, protocol: "UDP" },
					{ name: "dns-tcp", port: 53, protocol: "TCP" },
				],
			},
		},
		{
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: {
				name: "kube-dns",
				namespace: "kube-system",
				labels: { "kubernetes.io/service-name": "kube-dns" },
			},
			addressType: "IPv4",
			endpoints: [{ addresses: [address], conditions: { ready: true } }],
			ports: [
				{ name: "dns", port: 53, protocol: "UDP" },
				{ name: "dns-tcp", port: 53, protocol: "TCP" },
			],
		},
	];
	return objects.map((object) => JSON.stringify(object)).join("\n---\n");
}

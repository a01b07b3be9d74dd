import { checkInjectionTemplate } from "./check-injection-template.ts";
import { each } from "./each.ts";
import type { FieldPath } from "./field-path.ts";
import { isSubnet } from "./ip-address.ts";
import type { MeshSpec } from "./mesh.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";

const INJECTION: FieldPath = ["spec", "injection"];

/** Reports what the schema cannot say about a Mesh. */
export function checkMesh(spec: Partial<MeshSpec>, report: Report): void {
	const { excludeOutboundSubnets, template } = spec.injection ?? {};
	each(
		excludeOutboundSubnets,
		[...INJECTION, "excludeOutboundSubnets"],
		(subnet, path) => {
			if (isSubnet(subnet)) return;
			report(
				path,
				`${printValue(subnet)} is neither an address nor a CIDR. Write one such as "169.254.169.254" or "10.0.0.0/8".`,
			);
		},
	);
	if (template !== undefined)
		checkInjectionTemplate(template, [...INJECTION, "template"], report);
}

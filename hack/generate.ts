/**
 * Generates all of `src/gen/`, which is not committed: the Envoy API from
 * protobuf, and the types and validators of our kinds from `crds/`.
 *
 * `hack/run.sh` calls this by itself whenever an input has changed.
 */
import { generateCrd } from "./generate-crd.ts";
import { generateProtobuf } from "./generate-protobuf.ts";

await Promise.all([generateCrd(), generateProtobuf()]);

//! Refuses CLIF that the lowering does not know, with the instruction named.

use super::BackendError;
use cranelift_codegen::ir::{Function, Inst, Opcode, Type, types};

/// 64-bit integers exist only as the inside of `ireduce(shift(multiply))`.
fn allowed_i64(opcode: Opcode) -> bool {
    matches!(
        opcode,
        Opcode::Iconst
            | Opcode::Sextend
            | Opcode::Uextend
            | Opcode::Imul
            | Opcode::Iadd
            | Opcode::Sshr
            | Opcode::Ushr
    )
}

fn allowed_opcode(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(
        opcode,
        Jump | Brif
            | BrTable
            | Trap
            | Trapz
            | Trapnz
            | Debugtrap
            | Return
            | Call
            | CallIndirect
            | FuncAddr
            | Smin
            | Umin
            | Smax
            | Umax
            | Load
            | Store
            | Uload8
            | Sload8
            | Istore8
            | Uload16
            | Sload16
            | Istore16
            | StackAddr
            | SymbolValue
            | Iconst
            | F32const
            | Nop
            | Select
            | SelectSpectreGuard
            | Bitselect
            | Icmp
            | Iadd
            | Isub
            | Ineg
            | Iabs
            | Imul
            | Umulhi
            | Smulhi
            | Udiv
            | Sdiv
            | Urem
            | Srem
            | Band
            | Bor
            | Bxor
            | Bnot
            | Rotl
            | Rotr
            | Ishl
            | Ushr
            | Sshr
            | Bitrev
            | Clz
            | Cls
            | Ctz
            | Bswap
            | Popcnt
            | Fcmp
            | Fadd
            | Fsub
            | Fmul
            | Fdiv
            | Sqrt
            | Fma
            | Fneg
            | Fabs
            | Fcopysign
            | Fmin
            | Fmax
            | Bitcast
            | Bmask
            | Ireduce
            | Uextend
            | Sextend
            | FcvtToUintSat
            | FcvtToSintSat
            | FcvtFromUint
            | FcvtFromSint
            | Fence
            | SequencePoint
    )
}

fn allowed_type(ty: Type) -> bool {
    matches!(ty, types::I8 | types::I16 | types::I32 | types::F32)
}

pub(super) fn run(name: &str, func: &Function) -> Result<(), BackendError> {
    let refuse = |inst: Inst, reason: String| {
        Err(BackendError::at(
            name,
            func.dfg.display_inst(inst).to_string(),
            reason,
        ))
    };
    for block in func.layout.blocks() {
        for &param in func.dfg.block_params(block) {
            let ty = func.dfg.value_type(param);
            if !allowed_type(ty) {
                return Err(BackendError::new(
                    name,
                    format!("{block} has a parameter of type {ty}"),
                ));
            }
        }
        for inst in func.layout.block_insts(block) {
            let opcode = func.dfg.insts[inst].opcode();
            if !allowed_opcode(opcode) {
                return refuse(inst, format!("`{opcode}` has no lowering"));
            }
            for &result in func.dfg.inst_results(inst) {
                let ty = func.dfg.value_type(result);
                if !(allowed_type(ty) || (ty == types::I64 && allowed_i64(opcode))) {
                    return refuse(inst, format!("a result of type {ty} has no lowering"));
                }
            }
        }
    }
    Ok(())
}
